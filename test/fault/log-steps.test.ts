import { sql } from "kysely";
import t from "tap";
import { anchorOnce, fixedCheckpoint, type HeadFile, headFileIn } from "#custody";
import { sweepAbandonedWrites } from "#ingest";
import { DocksealError, systemClock } from "#kernel";
import { builtInAuthority } from "#seal";
import { statementProxy } from "../support/fault-proxy.ts";
import { fsckOfLog } from "../support/fsck.ts";
import { appendSome, logDifferences, openLogDatabase, round, signerOf, testLog } from "../support/log.ts";
import { storeWith } from "../support/store-with.ts";
import { until } from "../support/until.ts";

type When = "before" | "after";

/** Statements of a round, in the order in which they come: what is cut, and which one of its kind. */
const statements: readonly [what: string, statement: RegExp, nth?: number][] = [
  ["the look at the newest checkpoint", /from "log_checkpoint"/],
  ["the sequencer's lock", /pg_try_advisory_xact_lock/],
  ["entries are made of what waits", /WITH oldest AS/],
  ["the edge of the tree is read", /FROM log_tile\s+JOIN unnest/],
  ["tiles are written", /INSERT INTO log_tile/],
  ["entries and tiles are committed", /commit\0/i],
  ["the signer's lock", /pg_try_advisory_xact_lock/, 2],
  ["the checkpoint is published", /insert into "log_checkpoint"/],
  ["the checkpoint is committed", /commit\0/i, 2],
  ["a copy is announced", /insert into "store_intent"/],
  ["the announcement of a copy ends", /delete from "store_intent"/],
  ["a copy is recorded", /insert into "log_checkpoint_copy"/],
  ["the record of a copy is committed", /commit\0/i, 3],
  ["a timestamp is kept", /insert into "log_checkpoint_timestamp"/],
  ["the record of a timestamp's copy is committed", /commit\0/i, 4],
  ["a copy is noted as locked", /update "log_checkpoint_copy"/],
];

/** What is not a statement: gets a way to fail once, before it is carried out or after. */
const others = ["head file", "store put", "store lock", "timestamp"] as const;
type Other = (typeof others)[number];

t.test(
  "whatever step of the log fails, before it was stored or after: it goes on, one tree, nothing lost",
  async (t) => {
    const direct = await testLog(t);
    const proxy = statementProxy(t);
    const db = openLogDatabase(t, await proxy.through(direct.url));
    let failing: { step: Other; when: When } | undefined;

    /** Fails once, when it is its turn. */
    async function faulty<T>(step: Other, work: () => Promise<T>): Promise<T> {
      if (failing?.step !== step) return work();
      const { when } = failing;
      failing = undefined;
      if (when === "after") await work();
      throw new DocksealError("store-unavailable", { detail: `${step} fails ${when}` });
    }
    const file = headFileIn(direct.key.directory);
    const headFile: HeadFile = { ...file, write: (note) => faulty("head file", () => file.write(note)) };
    const store = storeWith(direct.store, {
      put: (request) => faulty("store put", () => direct.store.put(request)),
      lock: (ref, until) => faulty("store lock", () => direct.store.lock(ref, until)),
    });
    const authority = await builtInAuthority(direct.key.directory, systemClock);
    const timestamps: typeof authority = {
      ...authority,
      stamp: (...args) => faulty("timestamp", () => authority.stamp(...args)),
    };
    const log = { ...direct, db, store };
    const promised: string[] = [];
    const signal = new AbortController().signal;
    let signer = signerOf(log, headFile);

    /** A round and its copies. @returns what failed in it. */
    async function attempt(): Promise<unknown[]> {
      const failures: unknown[] = [];
      const onError = (error: unknown) => failures.push(error);
      await round(log, signer).catch(onError);
      await anchorOnce({ db, store, timestamps, everySeconds: 0, retentionDays: 1, signal, onError });
      return failures;
    }

    /** Until the server has noticed that a connection was cut, its transaction holds the locks that it has. */
    async function noticed(): Promise<void> {
      await until("no transaction is left open", async () => {
        const { rows } = await sql`SELECT FROM pg_stat_activity WHERE datname = current_database()
          AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'`.execute(direct.db);
        return rows.length === 0;
      });
    }

    /** Time passes, and what was abandoned is swept. */
    async function recover(): Promise<void> {
      await noticed();
      for (let look = 0; look < 2; look += 1) {
        await sql`UPDATE store_intent SET alive_at = alive_at - interval '1 hour', swept_at = swept_at - interval '1 hour'`.execute(
          direct.db,
        );
        await sweepAbandonedWrites(direct.db, direct.store, 300);
      }
      for (let more = 0; more < 2; more += 1) t.same(await attempt(), [], "nothing fails any more");
    }

    async function allIsWell(what: string): Promise<void> {
      const vkeys = [direct.key.vkey];
      t.same(await logDifferences(direct.db, vkeys, promised), [], `${what}: the log re-derives`);
      t.same((await fsckOfLog(direct.db, direct.key)).findings, [], `${what}: fsck is clean`);
      const fixed = await direct.db
        .selectFrom("logCheckpoint")
        .innerJoin("logCheckpointTimestamp", "logCheckpointTimestamp.size", "logCheckpoint.size")
        .innerJoin("logCheckpointCopy", "logCheckpointCopy.size", "logCheckpoint.size")
        .select(["logCheckpoint.size", "part", "lockedUntil"])
        .where("logCheckpoint.size", "=", promised.length)
        .orderBy("part")
        .execute();
      const locked = { size: promised.length, lockedUntil: String };
      t.match(
        fixed,
        [
          { ...locked, part: "note" },
          { ...locked, part: "timestamp" },
        ],
        `${what}: signed, copied, locked`,
      );
      const stored: string[] = [];
      for await (const { key, versionId } of direct.store.list("log/checkpoints/")) stored.push(`${key} ${versionId}`);
      const rows = await direct.db.selectFrom("logCheckpointCopy").select(["objectKey", "versionId"]).execute();
      const known = rows.map(({ objectKey, versionId }) => `${objectKey} ${versionId}`);
      t.same(stored.sort(), known.sort(), `${what}: store and database know the same copies`);
    }

    promised.push(...(await appendSome(direct.db, 250)));
    t.same(await attempt(), []);
    for (const restarted of [false, true]) {
      for (const when of ["before", "after"] as const) {
        for (const [what, statement, nth] of statements) {
          promised.push(...(await appendSome(direct.db, 3)));
          proxy.cutAt(statement, when, nth);
          const failures = await attempt();
          t.notOk(proxy.armed, `${what}, ${when}: the connection was cut`);
          t.ok(failures.length > 0, `${what}, ${when}: and that was noticed`);
          if (restarted) signer = signerOf(log, headFile);
          await recover();
          await allIsWell(`${what}, ${when}`);
        }
        for (const step of others) {
          promised.push(...(await appendSome(direct.db, 3)));
          failing = { step, when };
          const failures = await attempt();
          t.match(failures, [{ detail: `${step} fails ${when}` }]);
          if (restarted) signer = signerOf(log, headFile);
          await recover();
          await allIsWell(`${step}, ${when}`);
        }
      }
    }
    t.ok(await fixedCheckpoint(direct.db, new Date(0)));
  },
);
