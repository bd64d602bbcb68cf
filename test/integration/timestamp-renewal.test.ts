import { createHash } from "node:crypto";
import { type RawBuilder, sql } from "kysely";
import t, { type Test } from "tap";
import { type Finding, openAlarms } from "#custody";
import { createTimestampAuthority, parseReceipt } from "#evidence";
import { DocksealError } from "#kernel";
import { receiptOfClip, renewTimestamps, sealKeyIn, type TimestampSource, timestampClip } from "#seal";
import { verifyReceipt } from "#verify";
import { clipPages } from "../../src/audit/clip-pages.ts";
import { fsckRenewals } from "../../src/audit/fsck-renewals.ts";
import { hashedClip } from "../support/hashed-clip.ts";
import { logDifferences, openLogDatabase, round, signerOf, type TestLog, testLog } from "../support/log.ts";
import { stamped } from "../support/stamped.ts";

const dayMs = 86_400_000;
const days = (n: number): Date => new Date(Date.now() + n * dayMs);
const signal = new AbortController().signal;

/** An authority whose certificate is valid for a year, from so many days before now. What it tells is the time that is given. */
function authority(name: string, daysAgo: number, at: () => Date = () => new Date()) {
  const keys = createTimestampAuthority({ name, now: days(-daysAgo), years: 1 });
  const roots = [keys.rootPem];
  let asked = 0;
  const source: TimestampSource = {
    ...{ name, independent: true, roots },
    stamp: async ({ sha256 }) => {
      asked += 1;
      const genTime = at();
      const tokenDer = await stamped(keys, genTime, { digest: sha256 });
      return { tokenDer, genTime, authority: name, independent: true, roots, passedOver: [] };
    },
  };
  return { keys, source, asked: () => asked };
}

async function sealedClips(log: TestLog, timestamps: TimestampSource, count: number): Promise<string[]> {
  const sealKey = await sealKeyIn(log.key.directory);
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const { clipId } = await hashedClip(log.db);
    await timestampClip({ db: log.db, store: log.store, timestamps, sealKey }, { clipId, signal });
    ids.push(clipId);
  }
  return ids;
}

function deps(log: Pick<TestLog, "db">, timestamps: TimestampSource, errors: unknown[] = [], now = new Date()) {
  const onError = (error: unknown) => {
    errors.push(error);
  };
  return { db: log.db, timestamps, clock: { now: () => now }, renewDays: 90, signal, onError };
}

const renewalsOf = (log: TestLog) =>
  log.db.selectFrom("timestampRenewal").selectAll().orderBy("clipId").orderBy("generation").execute();

/** The receipt of a clip after the log went on, as the log's keeper gives it. */
async function receiptText(t: Test, log: TestLog, clipId: string): Promise<string> {
  await round(log, signerOf(log));
  const receipt = await receiptOfClip(log.db, clipId);
  t.ok(receipt);
  return receipt?.text ?? "";
}

t.test("a timestamp is renewed before its certificate ends, and its receipt stays good", async (t) => {
  const log = await testLog(t);
  const old = authority("old", 300);
  const fresh = authority("fresh", 1);
  const [first = "", second = ""] = await sealedClips(log, old.source, 2);
  const before = await receiptText(t, log, first);
  const far = days(200);
  t.notOk((await verifyReceipt(before, { now: far })).ok, "without a renewal it does not outlive the certificate");

  t.equal(await renewTimestamps(deps(log, fresh.source, [], days(-50))), 0, "not before its time");
  t.equal(fresh.asked(), 0);
  t.equal(await renewTimestamps(deps(log, fresh.source)), 2);
  t.equal(await renewTimestamps(deps(log, fresh.source)), 0, "once is enough");
  t.equal(fresh.asked(), 2);

  const after = await receiptText(t, log, first);
  const trust = { logs: [log.key.vkey], timestampRoots: [old.keys.rootPem, fresh.keys.rootPem] };
  const verdict = await verifyReceipt(after, { now: far, trust });
  t.ok(verdict.ok);
  const { timestampRenewals = [], timestampToken } = parseReceipt(after);
  t.equal(timestampRenewals.length, 1);
  t.same(timestampToken, parseReceipt(before).timestampToken, "the seal's own token is what it was");
  t.ok((await verifyReceipt(before, { now: new Date() })).ok, "and so is the old receipt");

  const renewals = await renewalsOf(log);
  t.same(renewals.map(({ clipId }) => clipId).sort(), [first, second].sort());
  const { rows: events } = await sql<{ id: string; clipId: string; details: object }>`
    SELECT id, clip_id, details FROM custody_event WHERE type = 'clip.timestamp-renewed'`.execute(log.db);
  t.equal(events.length, 2);
  const token = renewals.find(({ clipId }) => clipId === first);
  t.match(events.find(({ id }) => id === token?.eventId)?.details, {
    generation: 1,
    renewedSha256: createHash("sha256").update(timestampToken).digest("hex"),
    timestamp: {
      tokenSha256: createHash("sha256")
        .update(token?.token ?? "")
        .digest("hex"),
      independent: true,
    },
  });
  t.same(await logDifferences(log.db, [log.key.vkey]), []);

  const later = authority("later", 1, () => days(300));
  t.equal(await renewTimestamps(deps(log, later.source, [], days(300))), 0, "it must end later than the one before");
  const next = authority("next", -290, () => days(300));
  await sql`UPDATE timestamp_expiry SET claimed_until = clock_timestamp()`.execute(log.db);
  t.equal(await renewTimestamps(deps(log, next.source, [], days(300))), 2, "a renewal is renewed as well");
  t.ok((await verifyReceipt(await receiptText(t, log, second), { now: days(600) })).ok);

  const kinds = async (change: RawBuilder<unknown>) =>
    (await fsckAfter(log, change)).filter(({ kind }) => kind === "timestamp-renewal").map(({ subject }) => subject);
  t.same(await kinds(sql`SELECT 1`), [], "fsck is clean");
  const last = sql`clip_id = ${first} AND generation = 2`;
  t.ok((await kinds(sql`UPDATE timestamp_renewal SET token = set_byte(token, 90, 0) WHERE ${last}`)).includes(first));
  t.same(await kinds(sql`UPDATE timestamp_renewal SET generated_at = now() WHERE ${last}`), [first]);
  t.same(await kinds(sql`DELETE FROM timestamp_renewal WHERE ${last}`), [first], "a renewal that is gone is named");
});

/** What fsck says of the clips after a change that does not stay. */
async function fsckAfter({ db }: TestLog, change: RawBuilder<unknown>): Promise<Finding[]> {
  const findings: Finding[] = [];
  const tx = await db.startTransaction().execute();
  try {
    await sql`SET LOCAL session_replication_role = replica`.execute(tx);
    await change.execute(tx);
    for await (const page of clipPages(tx)) await fsckRenewals(tx, page, (finding) => void findings.push(finding));
  } finally {
    await tx.rollback().execute();
  }
  return findings;
}

t.test("several processes renew each timestamp once, also after one was killed", async (t) => {
  const log = await testLog(t);
  const old = authority("old", 300);
  const fresh = authority("fresh", 1);
  const ids = await sealedClips(log, old.source, 12);
  const stop = new AbortController();
  const killed: TimestampSource = {
    ...fresh.source,
    stamp: async (imprints) => {
      await fresh.source.stamp(imprints, signal);
      stop.abort();
      throw new Error("killed with a token that nobody keeps");
    },
  };
  t.equal(await renewTimestamps({ ...deps(log, killed), signal: stop.signal }), 0);
  const processes = [log, ...[1, 2].map(() => ({ db: openLogDatabase(t, log.url, 2) }))];
  const counts = await Promise.all(processes.map((each) => renewTimestamps(deps(each, fresh.source))));
  t.equal(
    counts.reduce((sum, n) => sum + n),
    11,
    "all but the one that the killed process had claimed",
  );
  await sql`UPDATE timestamp_expiry SET claimed_until = clock_timestamp()`.execute(log.db);
  const again = await Promise.all(processes.map((each) => renewTimestamps(deps(each, fresh.source))));
  t.equal(
    again.reduce((sum, n) => sum + n),
    1,
    "whose claim ends",
  );
  t.same(
    (await renewalsOf(log)).map(({ clipId, generation }) => [clipId, generation]),
    ids.sort().map((id) => [id, 1]),
  );
  t.equal(fresh.asked(), 13, "and no authority was asked for what another process was at");

  // A slow process whose claim has ended stores nothing when another one was faster.
  const [clipId = ""] = await sealedClips(log, old.source, 1);
  const slow: TimestampSource = {
    ...fresh.source,
    stamp: async (imprints, using) => {
      const got = await fresh.source.stamp(imprints, using);
      await sql`UPDATE timestamp_expiry SET claimed_until = clock_timestamp() WHERE clip_id = ${clipId}`.execute(
        log.db,
      );
      t.equal(await renewTimestamps(deps(log, fresh.source)), 1);
      return got;
    },
  };
  t.equal(await renewTimestamps(deps(log, slow)), 0);
  t.equal((await renewalsOf(log)).filter((row) => row.clipId === clipId).length, 1);
  const events = await log.db
    .selectFrom("custodyEvent")
    .where("type", "=", "clip.timestamp-renewed")
    .select("id")
    .execute();
  t.equal(events.length, 13, "one event for each that is kept");
});

t.test("what keeps timestamps from being renewed is an alarm, until it is over", async (t) => {
  const log = await testLog(t);
  const old = authority("old", 300);
  await sealedClips(log, old.source, 3);
  const errors: unknown[] = [];
  const away: TimestampSource = {
    ...old.source,
    stamp: async () => {
      throw new DocksealError("timestamp-unavailable");
    },
  };
  const freeAgain = () => sql`UPDATE timestamp_expiry SET claimed_until = clock_timestamp()`.execute(log.db);
  t.equal(await renewTimestamps(deps(log, away, errors)), 0);
  t.match(errors, [{ code: "timestamp-unavailable" }]);
  t.same(await openAlarms(log.db), [], "there are days left");
  await freeAgain();
  t.equal(await renewTimestamps(deps(log, old.source, errors)), 0);
  t.match(errors.slice(1), [{ code: "timestamp-rejected" }], "one is enough to know");
  t.match(await openAlarms(log.db), [{ kind: "timestamp-renewal", detail: /old gives none that ends later than/ }]);
  await freeAgain();
  t.equal(await renewTimestamps(deps(log, authority("fresh", 1).source)), 3);
  t.same(await openAlarms(log.db), []);

  await sealedClips(log, old.source, 1);
  t.equal(await renewTimestamps(deps(log, away, [], days(70))), 0);
  t.match(await openAlarms(log.db), [{ detail: /^1 clips have a timestamp whose certificate ended/ }]);
});

t.test("a stored token that was changed is told, not renewed, and holds up no other", async (t) => {
  const log = await testLog(t);
  const old = authority("old", 300);
  const ids = (await sealedClips(log, old.source, 3)).sort();
  const bad = ids[0] ?? "";
  await sql`ALTER TABLE seal_timestamp DISABLE TRIGGER append_only`.execute(log.db);
  await sql`UPDATE seal_timestamp SET token = set_byte(token, length(token) - 1, get_byte(token, length(token) - 1) # 1)
    WHERE clip_id = ${bad}`.execute(log.db);
  const errors: unknown[] = [];
  t.equal(await renewTimestamps(deps(log, authority("fresh", 1).source, errors)), 2);
  t.match(errors, [{ code: "timestamp-rejected", message: new RegExp(`${bad}.*signature`) }]);
  t.same(
    (await renewalsOf(log)).map(({ clipId }) => clipId),
    ids.slice(1),
  );
});
