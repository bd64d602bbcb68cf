import { createHash } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { sql } from "kysely";
import t, { type Test } from "tap";
import {
  type AnchorDependencies,
  anchorOnce,
  fixedCheckpoint,
  openAlarms,
  runSequencer,
  sequenceBatch,
} from "#custody";
import { type Database, inTransaction } from "#db";
import { parseCheckpoint, parseNote, verifyTimestampToken } from "#evidence";
import { sweepAbandonedWrites } from "#ingest";
import { DocksealError, systemClock } from "#kernel";
import { builtInAuthority } from "#seal";
import { type EvidenceStore, openStore } from "#store";
import { CheckpointSigner } from "../../src/custody/checkpoint-signer.ts";
import { copyKey, headFileIn } from "../../src/custody/outside-heads.ts";
import {
  appendSome,
  logDifferences,
  openLogDatabase,
  round,
  signerOf,
  storeUrlIn,
  type TestLog,
  testLog,
  testOrigin,
} from "../support/log.ts";
import { copyOfDatabase } from "../support/postgres.ts";
import { storeWith } from "../support/store-with.ts";
import { until } from "../support/until.ts";

async function emptyStore(t: Test, { directory }: TestLog): Promise<EvidenceStore> {
  const store = await openStore(storeUrlIn(join(directory, "other")), { createBucket: true });
  t.teardown(() => store.close());
  return store;
}

/** Events that wait, entries and checkpoints. */
async function figures(db: Database) {
  const { rows } = await sql<{ waiting: number; entries: number; signed: number }>`
    SELECT (SELECT count(*) FROM custody_pending) AS waiting, (SELECT count(*) FROM log_entry) AS entries,
      (SELECT count(*) FROM log_checkpoint) AS signed`.execute(db);
  return rows[0];
}

async function anchors(log: TestLog, onError: (error: unknown) => void): Promise<AnchorDependencies> {
  const timestamps = await builtInAuthority(log.key.directory, systemClock);
  const signal = new AbortController().signal;
  return { ...log, timestamps, everySeconds: 0, retentionDays: 1, signal, onError };
}

/** A log of 40 entries, 20 of which an old backup knows; its heads are in the file and in the store. */
async function withOldBackup(t: Test): Promise<{ log: TestLog; old: TestLog; promised: string[] }> {
  const log = await testLog(t);
  const promised = await appendSome(log.db, 20);
  await round(log, signerOf(log));
  await log.db.destroy();
  const backup = await copyOfDatabase(t, log.url);
  const newer = { ...log, db: openLogDatabase(t, log.url) };
  promised.push(...(await appendSome(newer.db, 20)));
  t.equal(await round(newer, signerOf(newer)), 40);
  await anchorOnce(await anchors(newer, (error) => t.fail(String(error))));
  return { log: newer, old: { ...log, db: openLogDatabase(t, backup) }, promised };
}

for (const [kept, lost] of [
  ["the head beside the key", undefined],
  ["the copy in the store, the file being lost", "file"],
] as const) {
  t.test(`a database restored from an old backup signs nothing: ${kept} says so`, async (t) => {
    const { log, old, promised } = await withOldBackup(t);
    let restored = old;
    if (lost === "file") await rm(headFileIn(log.key.directory).path);
    else restored = { ...old, store: await emptyStore(t, log) };
    await appendSome(old.db, 5);
    const errors: unknown[] = [];
    const stop = new AbortController();
    const running = runSequencer({
      ...restored,
      signal: stop.signal,
      pauseMs: 5,
      onError: (error) => errors.push(error),
    });
    await until("it is refused twice", () => errors.length >= 2);
    stop.abort();
    await running;
    for (const error of errors) t.match(error, { code: "log-rolled-back", advice: /Restore the newer backup/ });
    t.match(await openAlarms(old.db), [
      { kind: "log-rolled-back", subject: testOrigin, detail: /20 entries.*checkpoint of 40/ },
    ]);
    t.same(await figures(old.db), { waiting: 5, entries: 20, signed: 1 }, "what comes in waits, and nothing is signed");

    // Another history of the same length and more is not believed either.
    const other = await appendSome(old.db, 30);
    await sequenceBatch(old.db);
    await t.rejects(round(restored, signerOf(restored)), { code: "log-forked" });
    t.match(
      (await openAlarms(old.db)).map(({ kind }) => kind),
      ["log-rolled-back", "log-forked"],
    );
    t.equal((await figures(old.db))?.signed, 1);
    t.equal(other.length, 30);

    // The newer database is the way out, and goes on as if nothing had been.
    promised.push(...(await appendSome(log.db, 3)));
    t.equal(await round(log, signerOf(log)), 43);
    t.same(await openAlarms(log.db), []);
    t.same(await logDifferences(log.db, [log.key.vkey], promised), []);
  });
}

t.test("a database that goes back under a running process is noticed by that process", async (t) => {
  const { log, old } = await withOldBackup(t);
  const deps = { ...log, headFile: headFileIn(log.key.directory), clock: systemClock };
  const signer = new CheckpointSigner(deps);
  await appendSome(log.db, 1);
  t.equal(await round(log, signer), 41);
  await rm(deps.headFile.path);
  deps.db = old.db; // its connections lead to the restored database from now on
  await appendSome(old.db, 5);
  await t.rejects(round(old, signer), { code: "log-rolled-back" }, "by the copy in the store");
  t.equal((await figures(old.db))?.signed, 1);
});

t.test("an alarm ends when the log signs again", async (t) => {
  const log = await testLog(t);
  const head = headFileIn(log.key.directory);
  const signer = signerOf(log);
  await appendSome(log.db, 2);
  await round(log, signer);
  const note = await head.read();
  await writeFile(head.path, String(note).replace(/^2$/m, "3"));
  await appendSome(log.db, 1);
  await t.rejects(round(log, signer), { code: "configuration-invalid" }, "what lies there was never signed");
  t.match(await openAlarms(log.db), [{ kind: "log-cannot-sign" }]);
  await writeFile(head.path, String(note));
  t.equal(await round(log, signer), 3);
  t.same(await openAlarms(log.db), []);
  t.match(parseCheckpoint(parseNote(String(await head.read())).text), { size: 3 }, "the file follows");
});

t.test("a tile that was changed behind the log's back stops the signing", async (t) => {
  const log = await testLog(t);
  const signer = signerOf(log);
  await appendSome(log.db, 3);
  await round(log, signer);
  await sql`ALTER TABLE log_tile DISABLE TRIGGER ALL`.execute(log.db);
  await sql`UPDATE log_tile SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1)`.execute(log.db);
  await appendSome(log.db, 1);
  await t.rejects(round(log, signer), { code: "log-forked", detail: /first 3 entries/ });
});

t.test("checkpoints are copied under lock and timestamped; the copies are what was signed", async (t) => {
  const log = await testLog(t);
  const failures: unknown[] = [];
  const deps = await anchors(log, (error) => failures.push(error));
  await anchorOnce(deps);
  t.equal(await fixedCheckpoint(log.db, new Date(0)), undefined, "an empty log has nothing to copy");
  await appendSome(log.db, 3);
  const signer = signerOf(log);
  await round(log, signer);
  await Promise.all([anchorOnce(deps), anchorOnce(deps), anchorOnce(deps)]);
  await anchorOnce({ ...deps, everySeconds: 3600 });
  const copies = await log.db.selectFrom("logCheckpointCopy").selectAll().orderBy("objectKey").execute();
  t.match(
    copies,
    [
      { size: 3, part: "note" },
      { size: 3, part: "timestamp" },
    ],
    "three at once make one copy of each",
  );
  const fixed = await fixedCheckpoint(log.db, new Date(0));
  t.match(fixed, { size: 3, fixedBy: "timestamp" });
  const expected = [Buffer.from(String(fixed?.note)), fixed?.proof];
  for (const [at, { objectKey, versionId, lockedUntil }] of copies.entries()) {
    t.match(objectKey, /^log\/checkpoints\/\d{4}-\d\d-\d\d\/0{15}3-[0-9a-f]{16}(\.tst)?$/);
    const ref = { key: objectKey, versionId };
    t.same(await buffer(await log.store.get(ref)), expected[at]);
    const retention = (await log.store.stat(ref))?.retention;
    t.match(retention, { mode: "COMPLIANCE" });
    t.equal(retention?.until.getTime(), new Date(String(lockedUntil)).getTime());
    await t.rejects(log.store.remove(ref), { code: "object-locked" });
  }
  const imprint = createHash("sha256").update(String(fixed?.note)).digest();
  const { roots } = await builtInAuthority(log.key.directory, systemClock);
  await verifyTimestampToken(fixed?.proof ?? Buffer.of(), { imprint, roots });
  await t.rejects(
    async () => verifyTimestampToken(fixed?.proof ?? Buffer.of(), { imprint: Buffer.alloc(32), roots }),
    { code: "timestamp-rejected" },
    "of another note it is no timestamp",
  );

  await anchorOnce(deps);
  t.equal((await log.db.selectFrom("logCheckpointCopy").selectAll().execute()).length, 2, "not grown: no new copy");
  await appendSome(log.db, 1);
  await round(log, signer);
  await anchorOnce({ ...deps, everySeconds: 3600 });
  t.equal((await log.db.selectFrom("logCheckpointCopy").selectAll().execute()).length, 2, "grown, but not due yet");
  await anchorOnce(deps);
  t.equal((await log.db.selectFrom("logCheckpointCopy").selectAll().execute()).length, 4);
  t.match(await fixedCheckpoint(log.db, new Date()), undefined, "nothing was signed since");
  t.same(failures, []);
});

t.test("who comes too late to make a copy leaves the one that was made alone", async (t) => {
  const log = await testLog(t);
  const failures: unknown[] = [];
  const deps = await anchors(log, (error) => failures.push(error));
  await appendSome(log.db, 1);
  await round(log, signerOf(log));
  const head = await log.db.selectFrom("logCheckpoint").selectAll().where("size", "=", 1).executeTakeFirstOrThrow();
  const objectKey = copyKey(head, head.signedAt);
  let late: Promise<void> | undefined;
  await inTransaction(log.db, async (tx) => {
    await sql`LOCK TABLE store_intent IN SHARE ROW EXCLUSIVE MODE`.execute(tx);
    // It has seen that there is no copy, and is to begin one.
    late = anchorOnce({ ...deps, timestamps: { stamp: () => Promise.reject(new DocksealError("shutting-down")) } });
    await until("it waits", async () => {
      const { rows } = await sql`
        SELECT FROM pg_locks WHERE relation = 'store_intent'::regclass AND NOT granted`.execute(log.db);
      return rows.length > 0;
    });
    const bytes = Buffer.from(head.note);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const body = (async function* () {
      yield bytes;
    })();
    const contentType = "text/plain; charset=utf-8";
    const put = { key: objectKey, body, sizeBytes: bytes.length, sha256, contentType, signal: deps.signal };
    const { versionId } = await log.store.put(put);
    await tx.insertInto("logCheckpointCopy").values({ size: 1, part: "note", objectKey, versionId }).execute();
  });
  await late;
  t.match(failures, [{ code: "shutting-down" }], "only the authority was away");
  t.same(await log.db.selectFrom("storeIntent").selectAll().execute(), [], "nothing is left to sweep");
  t.same(await sweepAbandonedWrites(log.db, log.store, 0), { keys: 0, versions: 0, uploads: 0, locked: 0 });
  const { versionId } = await log.db.selectFrom("logCheckpointCopy").selectAll().executeTakeFirstOrThrow();
  t.equal((await buffer(await log.store.get({ key: objectKey, versionId }))).toString(), head.note);
});

t.test("an authority that is away holds up neither the log nor the copies", async (t) => {
  const log = await testLog(t);
  const failures: unknown[] = [];
  const deps = await anchors(log, (error) => failures.push(error));
  const away = () => Promise.reject(new DocksealError("timestamp-unavailable"));
  await appendSome(log.db, 1);
  const signer = signerOf(log);
  await round(log, signer);
  await anchorOnce({ ...deps, timestamps: { ...deps.timestamps, stamp: away } });
  t.match(failures, [{ code: "timestamp-unavailable" }]);
  const parts = () => log.db.selectFrom("logCheckpointCopy").select(["part", "lockedUntil"]).orderBy("part").execute();
  t.match(await parts(), [{ part: "note", lockedUntil: String }], "copied and locked");
  await appendSome(log.db, 1);
  t.equal(await round(log, signer), 2, "signing goes on");
  await anchorOnce({ ...deps, everySeconds: 3600 });
  t.match(await parts(), [{ part: "note" }, { part: "timestamp", lockedUntil: String }], "made good later");
});

t.test("a copy that was cut off is swept, and made again", async (t) => {
  const log = await testLog(t);
  const failures: unknown[] = [];
  const deps = await anchors(log, (error) => failures.push(error));
  await appendSome(log.db, 1);
  await round(log, signerOf(log));
  const store = storeWith(log.store, {
    put: async (request) => {
      await log.store.put(request);
      throw new DocksealError("store-unavailable");
    },
  });
  await anchorOnce({ ...deps, store });
  t.match(failures, [{ code: "store-unavailable" }]);
  failures.length = 0;
  await anchorOnce(deps);
  t.equal(await fixedCheckpoint(log.db, new Date(0)), undefined, "while it is not swept its key is left alone");
  const hourPasses = sql`UPDATE store_intent SET alive_at = alive_at - interval '1 hour', swept_at = swept_at - interval '1 hour'`;
  await hourPasses.execute(log.db);
  t.match(await sweepAbandonedWrites(log.db, log.store, 300), { keys: 1, versions: 1, locked: 0 });
  await hourPasses.execute(log.db);
  await sweepAbandonedWrites(log.db, log.store, 300);
  await anchorOnce(deps);
  t.match(await fixedCheckpoint(log.db, new Date(0)), { size: 1 });
  t.same(failures, []);
});
