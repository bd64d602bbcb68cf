import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import t, { type Test } from "tap";
import {
  type AuditDependencies,
  auditRound,
  feedFromLog,
  listRuns,
  reviewOverdue,
  runDetail,
  startManualRun,
} from "#audit";
import { type FixedCheckpoint, openAlarms } from "#custody";
import { noteKeyPair, parseSkey, rootOf, signCheckpoint } from "#evidence";
import { newId } from "#kernel";
import { mayReadOn, type OpenRun } from "../../src/audit/open-runs.ts";
import { type AuditBench, auditBench, readAll, sequenceAll } from "../support/audit.ts";
import { audited, manualRun } from "./audit.ts";

const { signal } = new AbortController();
const dayMs = 86_400_000;

async function opened(t: Test): Promise<{ bench: AuditBench; directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), "dockseal-audit-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const bench = await auditBench(t, {
    store: `file://${directory}/primary?immutable=0`,
    replica: `file://${directory}/replica?immutable=0`,
  });
  return { bench, directory };
}

/** The same clips, sealed so long ago. */
async function sealedDaysAgo(bench: AuditBench, days: number): Promise<void> {
  const at = new Date(Date.now() - days * dayMs).toISOString();
  await bench.db.updateTable("clip").set({ sealedAt: at }).execute();
}

function clockAt(offsetDays: number): AuditDependencies["clock"] {
  return { now: () => new Date(Date.now() + offsetDays * dayMs) };
}

const runsOf = async (bench: AuditBench) =>
  (await listRuns(bench.db, { organizationId: bench.station.organizationId, limit: 50 })).items;

/** A checkpoint over all entries, as the log's signer makes them. */
async function signedCheckpoint(bench: AuditBench): Promise<{ size: number; root: Buffer; note: string }> {
  await sequenceAll(bench.db);
  const entries = await bench.db.selectFrom("logEntry").select("leafHash").orderBy("index").execute();
  const root = rootOf(entries.map(({ leafHash }) => leafHash));
  const signer = parseSkey(noteKeyPair("log.example/audit", Buffer.alloc(32, 7)).skey);
  const head = { origin: signer.name, size: entries.length, root, extensions: [] };
  return { size: entries.length, root, note: signCheckpoint(head, [signer]) };
}

t.test("the day's sample waits for a checkpoint that is fixed, and then anybody draws the same", async (t) => {
  const { bench } = await opened(t);
  const sealed: string[] = [];
  for (let n = 0; n < 5; n += 1) sealed.push((await bench.seal(Buffer.from(`recording ${n}`))).clipId);
  t.equal(await auditRound(bench.deps(), signal), false);
  t.same(await runsOf(bench), [], "what was sealed today was read today: nothing to draw from");
  await sealedDaysAgo(bench, 2);
  const { size, root, note } = await signedCheckpoint(bench);
  const later = await bench.seal();
  await sealedDaysAgo(bench, 2);

  const asked: Date[] = [];
  let fixed: FixedCheckpoint | undefined;
  const now = new Date(); // stands still, so that it is one day until the end
  const deps = bench.deps({
    clock: { now: () => now },
    fixedCheckpoint: async (_db, since) => {
      asked.push(since);
      return fixed;
    },
  });
  const small = { ...deps, settings: { ...deps.settings, sampleCount: 2 } };
  t.equal(await auditRound(small, signal), false, "a signed checkpoint that nobody else has seen gives no seed");
  t.match(await runsOf(bench), [{ kind: "sample", state: "waiting", seed: null, expectedCount: null }]);
  const today = `${now.toISOString().slice(0, 10)}T00:00:00.000Z`;
  t.equal(asked[0]?.toISOString(), today, "it must be signed at or after the beginning of the day");

  fixed = { size, root, note, fixedBy: "timestamp", proof: Buffer.from("a token") };
  t.equal(await readAll(small), 2);
  const [run] = await runsOf(bench);
  t.match(run, { state: "finished", day: today.slice(0, 10), expectedCount: 2, readCount: 2, intactCount: 2 });
  t.match(run, { checkpointSize: size, checkpointFixedBy: "timestamp" });

  // As a stranger does it: from what the API shows, and the entries of the log.
  const shown = await runDetail(bench.db, run?.id ?? "", bench.station.organizationId);
  const seed = createHash("sha256")
    .update(`dockseal/fixity-sample@v1\n${shown.drawn?.checkpoint}`)
    .update(Buffer.from(shown.drawn?.proof ?? "", "base64"))
    .digest();
  t.equal(shown.seed, seed.toString("hex"));
  const entries = await bench.db
    .selectFrom("logEntry")
    .innerJoin("custodyEvent", "custodyEvent.id", "logEntry.eventId")
    .select("leaf")
    .where("index", "<", size)
    .execute();
  const ids = entries
    .map(({ leaf }) => JSON.parse(leaf.toString()) as { type: string; subject: { clip?: string } })
    .filter(({ type }) => type === "clip.sealed")
    .map(({ subject }) => subject.clip ?? "");
  t.same(ids.sort(), [...sealed].sort(), "what was sealed after the checkpoint is not drawn from");
  t.notOk(ids.includes(later.clipId));
  const order = (id: string) => createHash("sha256").update(seed).update(id).digest("hex");
  const drawn = ids.sort((one, other) => (order(one) < order(other) ? -1 : 1)).slice(0, 2);
  t.same(shown.drawn?.clips, drawn);
  const read = await bench.db.selectFrom("fixityItem").select("clipId").execute();
  t.same(read.map(({ clipId }) => clipId).sort(), [...drawn].sort(), "exactly those were read");
  const started = await bench.db
    .selectFrom("custodyEvent")
    .select("details")
    .where("type", "=", "audit.started")
    .executeTakeFirstOrThrow();
  t.match(
    started.details,
    { seed: seed.toString("hex"), checkpointSize: size },
    "and the log says what they were drawn by",
  );
  t.equal(await readAll(small), 0, "one sample a day");
});

t.test("a sample that finds no fixed checkpoint for two days fails, and alarms", async (t) => {
  const { bench } = await opened(t);
  await bench.seal();
  await sealedDaysAgo(bench, 2);
  await auditRound(bench.deps(), signal);
  const late = bench.deps({ clock: clockAt(2) });
  await auditRound(late, signal);
  const runs = await runsOf(bench);
  t.match(
    runs.map(({ state }) => state),
    ["waiting", "failed"],
    "and the one of that day waits by itself",
  );
  t.match(await openAlarms(bench.db), [
    { kind: "fixity-incomplete", subject: "sample", detail: /timestamped or witnessed/ },
  ]);
});

t.test(
  "cycles: the first begins after half of the days, each reads everything, and the next comes in time",
  async (t) => {
    const { bench } = await opened(t);
    const one = await bench.seal();
    await bench.seal();
    t.equal(await readAll(bench.deps({ clock: clockAt(44) })), 0, "all was read when it was sealed, 44 days ago");
    const first = bench.deps({ clock: clockAt(46) });
    t.equal(await readAll(first), 1, "one now; the other when its share of the time has come");
    const running = await bench.db.selectFrom("fixityRun").selectAll().where("kind", "=", "cycle").execute();
    t.match(running, [{ state: "running", expectedCount: 2, readCount: 1 }]);
    t.equal(await readAll(bench.deps({ clock: clockAt(70) })), 1);
    t.equal(await readAll(bench.deps({ clock: clockAt(89) })), 0, "the next does not begin before its time");
    t.match(
      (await runsOf(bench)).filter(({ kind }) => kind === "cycle"),
      [{ state: "finished", readCount: 2, intactCount: 2 }],
    );
    await sql`UPDATE clip SET sealed_at = sealed_at - interval '91 days'`.execute(bench.db);
    await reviewOverdue(first);
    const overdue = (await openAlarms(bench.db)).filter(({ kind }) => kind === "fixity-overdue");
    t.same(overdue, [], "what the audit has read since is not overdue");
    const never = await bench.seal();
    await reviewOverdue(bench.deps({ clock: clockAt(91) }));
    t.match(
      (await openAlarms(bench.db)).filter(({ kind }) => kind === "fixity-overdue"),
      [{ subject: "clips", detail: /3 clips were not read for more than 90 days/ }],
    );
    await reviewOverdue(first);
    t.same(
      (await openAlarms(bench.db)).filter(({ kind }) => kind === "fixity-overdue"),
      [],
      "and the alarm goes when they are read",
    );
    t.ok(one.clipId && never.clipId);
  },
);

t.test("the reading of a cycle is spread over half of the days, and a hurried run is not", (t) => {
  const now = new Date("2026-11-01T00:00:00Z");
  const run: OpenRun = {
    ...{ id: newId(), kind: "cycle", startedAt: now.toISOString(), dueAt: "2027-01-01T00:00:00Z" },
    scope: { logSize: 1, organizationId: null, caseId: null, sample: null },
    ...{ expectedBytes: 4500, readBytes: 0, expectedCount: 45, readCount: 0 },
  };
  const after = (days: number) => new Date(now.getTime() + days * dayMs);
  t.equal(mayReadOn({ ...run, readBytes: 99 }, 90, after(1)), true, "a forty-fifth a day");
  t.equal(mayReadOn({ ...run, readBytes: 100 }, 90, after(1)), false, "and no more");
  t.equal(mayReadOn({ ...run, readBytes: 4499 }, 90, after(45)), true, "all of it when the time is over");
  t.equal(mayReadOn({ ...run, readCount: 45, readBytes: 4500 }, 90, after(1)), true, "nothing is left to wait for");
  t.equal(mayReadOn({ ...run, kind: "sample", readBytes: 4000 }, 90, after(0)), true);
  t.end();
});

t.test("a clip that the log does not know is expected, not read, and so makes the run fail", async (t) => {
  const { bench } = await opened(t);
  await bench.seal();
  const hidden = await bench.seal();
  // As if the sealing had been taken out of the log: what hands out the reading knows nothing of the clip.
  await sql`ALTER TABLE custody_event DISABLE TRIGGER ALL`.execute(bench.db);
  await sql`UPDATE custody_event SET type = 'clip.viewed' WHERE clip_id = ${hidden.clipId} AND type = 'clip.sealed'`.execute(
    bench.db,
  );
  const { organizationId } = bench.station;
  const id = await startManualRun(
    bench.db,
    { organizationId, caseId: null, days: 90, now: new Date() },
    { type: "system", id: "test" },
  );
  await readAll(bench.deps());
  t.match(await runDetail(bench.db, id, organizationId), { state: "failed", expectedCount: 2, readCount: 1 });
});

t.test("a store that is away in the middle is no damage: the run goes on when it is back", async (t) => {
  const { bench, directory } = await opened(t);
  const clips = [await bench.seal(), await bench.seal(), await bench.seal()];
  const { organizationId } = bench.station;
  const deps = bench.deps({ leaseSeconds: 0.05 });
  const id = await startManualRun(
    bench.db,
    { organizationId, caseId: null, days: 90, now: new Date() },
    { type: "system", id: "test" },
  );
  t.equal(await auditRound(deps, signal), true);
  const objects = join(directory, "primary/objects");
  await rename(objects, `${objects}-away`);
  await mkdir(objects); // as a mount point looks whose disk is not there
  for (let n = 0; n < 4; n += 1) await auditRound(deps, signal);
  t.match(await runDetail(bench.db, id, organizationId), {
    state: "running",
    readCount: 1,
    missingCount: 0,
    faults: [],
  });
  const claims = await bench.db.selectFrom("fixityClaim").select("lastError").execute();
  t.equal(claims.length, 2, "the others wait for another try");
  t.ok(
    claims.some(({ lastError }) => lastError !== null),
    "with the reason",
  );
  t.match(await openAlarms(bench.db), [{ kind: "fixity-store", detail: /is the right store mounted/ }]);
  await rm(objects, { recursive: true });
  await rename(`${objects}-away`, objects);
  await sql`UPDATE fixity_claim SET free_at = clock_timestamp()`.execute(bench.db);
  await readAll(deps);
  t.match(await runDetail(bench.db, id, organizationId), { state: "finished", readCount: 3, intactCount: 3 });
  t.same(await openAlarms(bench.db), []);
  for (const { clipId } of clips) t.equal((await bench.clip(clipId)).state, "sealed");
});

t.test("what could not be read until the time was over counts as not read, and is named", async (t) => {
  const { bench, directory } = await opened(t);
  await bench.seal();
  const { clipId } = await bench.seal();
  const { organizationId } = bench.station;
  const id = await startManualRun(
    bench.db,
    { organizationId, caseId: null, days: 90, now: new Date() },
    { type: "system", id: "test" },
  );
  await auditRound(bench.deps(), signal);
  const objects = join(directory, "primary/objects");
  await rename(objects, `${objects}-away`);
  await auditRound(bench.deps(), signal);
  await auditRound(bench.deps({ clock: clockAt(91) }), signal);
  const run = await runDetail(bench.db, id, organizationId);
  t.match(run, { state: "failed", expectedCount: 2, readCount: 1, unreadableCount: 1, failure: /1 of 2 objects/ });
  t.match(run.faults, [{ clipId, outcome: "unreadable", reason: /ENOENT|is the right store mounted/ }]);
  await t.rejects(
    bench.db.updateTable("fixityRun").set({ readCount: 2, state: "finished" }).where("id", "=", id).execute(),
    { code: "42501" },
    "how a run ended is never rewritten",
  );
});

t.test("a lock that is gone is named, set again, and alarms until it is found in place", async (t) => {
  const { bench, directory } = await opened(t);
  const { clipId } = await bench.seal();
  const { objectKey, versionId } = await bench.clip(clipId);
  const folder = join(directory, "primary/objects", `${objectKey}@`);
  const marks = (await readdir(folder)).filter((name) => name.startsWith("retain-"));
  t.equal(marks.length, 1);
  for (const mark of marks) await rm(join(folder, mark));
  const audited = async () => {
    const { organizationId } = bench.station;
    const wanted = { organizationId, caseId: null, days: 90, now: new Date() };
    const id = await startManualRun(bench.db, wanted, { type: "system", id: "test" });
    await readAll(bench.deps());
    return runDetail(bench.db, id, organizationId);
  };
  t.match(await audited(), {
    readCount: 1,
    unlockedCount: 1,
    faults: [{ outcome: "unlocked", reason: /the lock reaches nowhere/ }],
  });
  t.match(await openAlarms(bench.db), [{ kind: "fixity-damage", subject: clipId, detail: /locked again/ }]);
  t.equal((await bench.clip(clipId)).state, "sealed");
  t.ok((await bench.store.stat({ key: objectKey, versionId }))?.retention);
  t.match(await audited(), { readCount: 1, intactCount: 1 });
  t.same(await openAlarms(bench.db), []);
});

t.test("a reader that died leaves its object to another; one that only slept changes nothing any more", async (t) => {
  const { bench } = await opened(t);
  await bench.seal();
  const { organizationId } = bench.station;
  const id = await startManualRun(
    bench.db,
    { organizationId, caseId: null, days: 90, now: new Date() },
    { type: "system", id: "test" },
  );
  // It reads, and before it can record, somebody else has taken its object over and recorded.
  const slow = bench.deps({
    store: Object.assign(Object.create(bench.store), {
      stat: async (ref: Parameters<typeof bench.store.stat>[0]) => {
        await sql`UPDATE fixity_claim SET free_at = clock_timestamp()`.execute(bench.db);
        await readAll(bench.deps());
        return bench.store.stat(ref);
      },
    }),
  });
  await auditRound(slow, signal);
  await readAll(bench.deps());
  t.match(await runDetail(bench.db, id, organizationId), { state: "finished", readCount: 1, intactCount: 1 });
  const events = await bench.db
    .selectFrom("custodyEvent")
    .select("id")
    .where("type", "=", "clip.fixity-checked")
    .execute();
  t.equal(events.length, 1);
});

t.test("a run that is made to read less than was counted fails, and alarms; a whole one clears it", async (t) => {
  const { bench } = await opened(t);
  for (let n = 0; n < 3; n += 1) await bench.seal();
  const losing = bench.deps({
    feed: async (tx, scope, from) => {
      const { objects, nextIndex } = await feedFromLog(tx, scope, from);
      return { objects: objects.slice(1), nextIndex };
    },
  });
  const run = await audited(bench, losing);
  t.match(run, { state: "failed", expectedCount: 3, readCount: 2, failure: /2 of 3 objects/ });
  t.match(await openAlarms(bench.db), [{ kind: "fixity-incomplete", subject: "manual", detail: new RegExp(run.id) }]);
  const nothing = bench.deps({ feed: async (_tx, scope) => ({ objects: [], nextIndex: scope.logSize }) });
  t.match(await audited(bench, nothing), { state: "failed", readCount: 0, failure: /0 of 3/ });
  t.match(await audited(bench), { state: "finished", readCount: 3 });
  t.same(await openAlarms(bench.db), []);
});

t.test("two processes share a run: every object is read once", async (t) => {
  const { bench } = await opened(t);
  for (let n = 0; n < 6; n += 1) await bench.seal(randomBytes(20_000 + n));
  const runId = await manualRun(bench, bench.deps());
  const read = await Promise.all([readAll(bench.deps()), readAll(bench.deps()), readAll(bench.deps())]);
  await readAll(bench.deps());
  const run = await runDetail(bench.db, runId, bench.station.organizationId);
  t.match(run, { state: "finished", expectedCount: 6, readCount: 6, intactCount: 6 });
  t.equal(
    read.reduce((sum, count) => sum + count, 0),
    6,
  );
  const events = await bench.db
    .selectFrom("custodyEvent")
    .select("clipId")
    .where("type", "=", "clip.fixity-checked")
    .execute();
  t.equal(events.length, 6);
  t.equal(new Set(events.map(({ clipId }) => clipId)).size, 6);
});
