import { createHash } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { sql } from "kysely";
import type { Test } from "tap";
import { type AuditDependencies, replicateRound, runDetail, startManualRun } from "#audit";
import { openAlarms } from "#custody";
import { inTransaction } from "#db";
import { newId } from "#kernel";
import type { ObjectRef } from "#store";
import { type AuditBench, auditBench, readAll, sequenceAll } from "../support/audit.ts";

/** A kind of store, and what a test can do to it behind the application's back. */
export interface AuditStores {
  /** URLs of two empty stores. */
  fresh(t: Test): Promise<{ store: string; replica: string }>;
  /** Changes one byte of what is stored, whatever locks are on it. */
  changeOneByte(url: string, ref: ObjectRef): Promise<void>;
  /** Takes an object away, whatever locks are on it. */
  takeAway(url: string, ref: ObjectRef): Promise<void>;
}

const { signal } = new AbortController();

export async function manualRun(bench: AuditBench, deps: AuditDependencies): Promise<string> {
  await sequenceAll(bench.db);
  const { organizationId } = bench.station;
  const runId = await startManualRun(
    bench.db,
    { organizationId, caseId: null, days: deps.settings.days, now: new Date() },
    { type: "system", id: "test" },
  );
  return runId;
}

/** A manual run over everything, from start to end. */
export async function audited(bench: AuditBench, deps = bench.deps()) {
  const runId = await manualRun(bench, deps);
  await readAll(deps);
  return runDetail(bench.db, runId, bench.station.organizationId);
}

async function bytesOf(bench: AuditBench, clipId: string): Promise<Buffer> {
  const { objectKey, versionId } = await bench.clip(clipId);
  return buffer(await bench.store.get({ key: objectKey, versionId }));
}

async function refOf(bench: AuditBench, clipId: string): Promise<ObjectRef> {
  const { objectKey, versionId } = await bench.clip(clipId);
  return { key: objectKey, versionId };
}

async function eventsOf(bench: AuditBench, clipId: string, type: string) {
  return bench.db
    .selectFrom("custodyEvent")
    .select(["details", "leaf"])
    .where("clipId", "=", clipId)
    .where("type", "=", type)
    .orderBy("at")
    .execute();
}

async function opened(t: Test, stores: AuditStores) {
  const urls = await stores.fresh(t);
  return { urls, bench: await auditBench(t, urls) };
}

/** What depends on the kind of store: faults in it, copies and repairs. */
export function storeSuite(t: Test, stores: AuditStores): void {
  t.test("one changed byte is named: alarm, quarantine, event; and sound clips are left alone", async (t) => {
    const { urls, bench } = await opened(t, stores);
    const [sound, rotten] = [await bench.seal(), await bench.seal()];
    await stores.changeOneByte(urls.store, await refOf(bench, rotten.clipId));
    const run = await audited(bench);
    t.match(run, { state: "finished", readCount: 2, intactCount: 1, damagedCount: 1 });
    t.match(run.faults, [{ clipId: rotten.clipId, role: "original", outcome: "damaged" }]);
    t.match(await openAlarms(bench.db), [{ kind: "fixity-damage", subject: rotten.clipId }]);
    t.match(await bench.clip(rotten.clipId), { state: "quarantined", quarantineReason: /not what came in/ });
    t.equal((await bench.clip(sound.clipId)).state, "sealed");
    const [event] = await eventsOf(bench, rotten.clipId, "clip.fixity-checked");
    const is = createHash("sha256").update(rotten.bytes).digest("hex");
    t.match(event?.details, { outcome: "damaged", expected: { sha256: is } });
    const details = event?.details as { found?: { sha256?: string } } | undefined;
    const found = details?.found?.sha256;
    t.match(found, /^[0-9a-f]{64}$/);
    t.not(found, is, "the event says what was found instead");
    const again = await audited(bench);
    t.match(again, { readCount: 2, damagedCount: 1 }, "what is in quarantine does not slip out of the audit");
    t.equal((await eventsOf(bench, rotten.clipId, "clip.quarantined")).length, 1);
  });

  t.test(
    "an object that is gone is missing; with a replica both faults are repaired, and never silently",
    async (t) => {
      const { urls, bench } = await opened(t, stores);
      const lost = await bench.seal();
      t.match(await audited(bench), { readCount: 1, intactCount: 1 });
      const [gone, rotten, sound] = [await bench.seal(), await bench.seal(), await bench.seal()];
      const deps = bench.deps({ replica: bench.replica });
      const copied = await Promise.all([replicateRound(deps, signal), replicateRound(deps, signal)]);
      t.equal((copied[0] ?? 0) + (copied[1] ?? 0), 4, "every sealed clip is copied, by one of two");
      const objects: string[] = [];
      for await (const { key } of bench.replica.store.list("originals/")) objects.push(key);
      t.equal(objects.length, 4, "and lies there once");
      t.equal(await replicateRound(deps, signal), 0, "once");
      const copies = await bench.db.selectFrom("replicaCopy").selectAll().execute();
      for (const { clipId, objectKey, versionId } of copies) {
        const facts = await bench.replica.store.stat({ key: objectKey, versionId });
        const { retainedUntil } = await bench.db
          .selectFrom("clip")
          .select("retainedUntil")
          .where("id", "=", clipId)
          .executeTakeFirstOrThrow();
        t.equal(facts?.retention?.until.getTime(), Date.parse(retainedUntil ?? ""), "a copy is locked like its clip");
        t.equal((await eventsOf(bench, clipId, "clip.replicated")).length, 1);
      }
      await stores.takeAway(urls.store, await refOf(bench, lost.clipId));
      t.match(
        await audited(bench),
        { readCount: 4, missingCount: 1, intactCount: 3 },
        "without the replica it is lost",
      );
      t.match(await bench.clip(lost.clipId), { state: "quarantined", quarantineReason: /missing/ });
      const { key } = await refOf(bench, lost.clipId);
      t.match(
        await bench.fsck(),
        [{ kind: "stored-original", subject: key }],
        "fsck names what is missing, nothing else",
      );

      const before = await refOf(bench, rotten.clipId);
      await stores.changeOneByte(urls.store, before);
      await stores.takeAway(urls.store, await refOf(bench, gone.clipId));
      const run = await audited(bench, deps);
      t.match(run, { state: "finished", readCount: 4, repairedCount: 3, intactCount: 1, damagedCount: 0 });
      t.same(
        await eventsOf(bench, gone.clipId, "clip.quarantined"),
        [],
        "what is repaired at once never is in quarantine",
      );
      t.equal((await eventsOf(bench, lost.clipId, "clip.quarantined")).length, 1, "and what was comes out of it");
      for (const { clipId, bytes } of [gone, rotten, lost]) {
        t.match(await bench.clip(clipId), { state: "sealed", quarantineReason: null });
        t.ok((await bytesOf(bench, clipId)).equals(bytes), "the original is what it was, byte for byte");
        const facts = await bench.store.stat(await refOf(bench, clipId));
        t.ok((facts?.retention?.until.getTime() ?? 0) > Date.now(), "and locked again");
        t.match(await eventsOf(bench, clipId, "clip.repaired"), [
          { details: { generation: 1, copiedFrom: "replica" } },
        ]);
      }
      t.not((await refOf(bench, rotten.clipId)).key, before.key, "under a fresh key");
      t.ok((await bytesOf(bench, sound.clipId)).equals(sound.bytes));
      const alarms = await bench.db
        .selectFrom("alarm")
        .select(["subject", "clearedAt"])
        .where("kind", "=", "fixity-damage")
        .where("subject", "in", [gone.clipId, rotten.clipId, lost.clipId])
        .execute();
      t.equal(alarms.length, 3, "there was an alarm for each");
      for (const { clearedAt } of alarms) t.ok(clearedAt, "which the repair cleared");
      t.ok(bench.errors.length > 0, "and the process's log told it");
      t.same(await bench.db.selectFrom("copyTask").selectAll().execute(), []);
      t.match(await audited(bench, deps), { readCount: 4, intactCount: 4 }, "the next run finds it sound");
      const stored: string[] = [];
      for await (const { key } of bench.store.list(`originals/${rotten.clipId.slice(0, 8)}/${rotten.clipId}`))
        stored.push(key);
      t.equal(stored.length, 2, "the damaged bytes are kept beside the repaired ones, and nothing else");
      t.same(await bench.fsck(), [], "fsck is clean");
      const behindTheBack = (change: string) =>
        inTransaction(bench.db, async (tx) => {
          await sql`SET LOCAL session_replication_role = replica`.execute(tx);
          await sql.raw(change).execute(tx);
        });
      for (const kind of ["clip_repair", "replica_copy"] as const) {
        const named = { kind: kind === "clip_repair" ? "clip-repaired" : "clip-replicated" };
        await behindTheBack(`UPDATE ${kind} SET version_id = version_id || '0' WHERE clip_id = '${lost.clipId}'`);
        const found = (await bench.fsck()).filter(({ kind }) => kind.startsWith("clip-"));
        await behindTheBack(`UPDATE ${kind} SET version_id = left(version_id, -1) WHERE clip_id = '${lost.clipId}'`);
        t.match(found, [named], `a changed row of ${kind} is named`);
      }
    },
  );

  t.test("a copy whose process died is gone on with under its key: no second one, nothing left behind", async (t) => {
    const { urls, bench } = await opened(t, stores);
    const clips = [await bench.seal(), await bench.seal()];
    const deps = bench.deps({ replica: bench.replica });
    // Killed after the bytes were written, before they were recorded; the other's bytes got damaged on their way.
    for (const [at, { clipId, bytes }] of clips.entries()) {
      const key = `originals/${clipId.slice(0, 8)}/${clipId}.${newId()}`;
      const left = at === 0 ? bytes : Buffer.concat([bytes.subarray(1), Buffer.of(7)]);
      const body = (async function* () {
        yield left;
      })();
      await bench.replica.store.put({ key, body, sizeBytes: left.length, signal });
      await bench.db
        .insertInto("copyTask")
        .values({ clipId, direction: "replicate", objectKey: key, lease: newId(), freeAt: new Date(0).toISOString() })
        .execute();
    }
    t.equal(await replicateRound(deps, signal), 2);
    const stored: string[] = [];
    for await (const { key } of bench.replica.store.list("originals/")) stored.push(key);
    const copies = await bench.db.selectFrom("replicaCopy").selectAll().execute();
    t.same(stored.sort(), copies.map(({ objectKey }) => objectKey).sort(), "one object a copy");
    for (const { clipId, bytes } of clips) {
      const copy = copies.find((row) => row.clipId === clipId);
      const found = await buffer(
        await bench.replica.store.get({ key: copy?.objectKey ?? "", versionId: copy?.versionId ?? "" }),
      );
      t.ok(found.equals(bytes));
    }

    // A repair that was killed after it was recorded, before it was locked, and one that nobody wants any more.
    const [repaired, sound] = clips;
    if (repaired === undefined || sound === undefined) throw new Error("two clips");
    await stores.changeOneByte(urls.store, await refOf(bench, repaired.clipId));
    await audited(bench, deps);
    const now = await refOf(bench, repaired.clipId);
    const orphan = `originals/${sound.clipId.slice(0, 8)}/${sound.clipId}.${newId()}`;
    const body = (async function* () {
      yield sound.bytes;
    })();
    await bench.store.put({ key: orphan, body, sizeBytes: sound.bytes.length, signal });
    for (const [clipId, objectKey] of [
      [repaired.clipId, now.key],
      [sound.clipId, orphan],
    ] as const) {
      await bench.db
        .insertInto("copyTask")
        .values({ clipId, direction: "repair", objectKey, lease: newId(), freeAt: new Date(0).toISOString() })
        .execute();
    }
    await replicateRound(deps, signal);
    t.same(await bench.db.selectFrom("copyTask").selectAll().execute(), []);
    t.same(await refOf(bench, repaired.clipId), now);
    t.equal((await bench.db.selectFrom("clipRepair").selectAll().execute()).length, 1);
    const left: string[] = [];
    for await (const { key } of bench.store.list(orphan)) left.push(key);
    t.same(left, [], "what nobody wanted is gone");
  });
}

/** What is the same whatever the store. */
export function ruleSuite(t: Test, stores: AuditStores): void {
  t.test("a run over sound clips reads each once, says so in the log, and its counts are right", async (t) => {
    const { bench } = await opened(t, stores);
    const clips = [await bench.seal(), await bench.seal(), await bench.seal()];
    const [first] = clips.map(({ clipId }) => clipId);
    const made = await bench.derive(first ?? "");
    const run = await audited(bench);
    const bytes = 3 * 50_000 + 3000;
    t.match(run, {
      ...{ state: "finished", expectedCount: 4, expectedBytes: bytes, readCount: 4, readBytes: bytes },
      ...{ intactCount: 4, damagedCount: 0, missingCount: 0, unreadableCount: 0, failure: null, faults: [] },
    });
    t.same(await openAlarms(bench.db), []);
    for (const { clipId, bytes: stored } of clips) {
      const events = await eventsOf(bench, clipId, "clip.fixity-checked");
      t.equal(events.length, clipId === first ? 2 : 1, "one event an object");
      const sha256 = createHash("sha256").update(stored).digest("hex");
      const own = events.filter(({ details }) => (details as { role: string }).role === "original");
      t.match(own, [{ details: { run: run.id, outcome: "intact", found: { sha256, sizeBytes: stored.length } } }]);
      t.same(JSON.parse(own[0]?.leaf.toString() ?? "").subject, { clip: clipId, run: run.id });
    }
    t.match(
      await eventsOf(bench, first ?? "", "clip.fixity-checked"),
      [{}, {}].map(() => ({ details: { run: run.id } })),
    );
    const ends = await bench.db
      .selectFrom("custodyEvent")
      .select(["type", "details", "leaf"])
      .where("type", "like", "audit.%")
      .orderBy("at")
      .execute();
    t.match(ends, [
      { type: "audit.started", details: { kind: "manual", expected: { count: 4, bytes } } },
      { type: "audit.finished", details: { state: "finished", readCount: 4, intactCount: 4 } },
    ]);
    for (const { leaf } of ends) t.same(JSON.parse(leaf.toString()).subject, { run: run.id });
    t.ok(made.id);
  });

  t.test(
    "a copy that is not good either is no repair: both are named, and the clip goes into quarantine",
    async (t) => {
      const { urls, bench } = await opened(t, stores);
      const clip = await bench.seal();
      const deps = bench.deps({ replica: bench.replica });
      await replicateRound(deps, signal);
      const copy = await bench.db.selectFrom("replicaCopy").selectAll().executeTakeFirstOrThrow();
      await stores.changeOneByte(urls.replica, { key: copy.objectKey, versionId: copy.versionId });
      await stores.changeOneByte(urls.store, await refOf(bench, clip.clipId));
      t.match(await audited(bench, deps), { readCount: 1, damagedCount: 1, repairedCount: 0 });
      t.equal((await bench.clip(clip.clipId)).state, "quarantined");
      const kinds = (await openAlarms(bench.db)).map(({ kind }) => kind).sort();
      t.same(kinds, ["fixity-damage", "replica-damage"]);
      t.same(await bench.db.selectFrom("copyTask").selectAll().execute(), [], "nothing is left under way");
    },
  );

  t.test("a damaged derivative is named and planned anew; the clip itself stays what it is", async (t) => {
    const { urls, bench } = await opened(t, stores);
    const { clipId } = await bench.seal();
    const { id } = await bench.derive(clipId);
    const made = await bench.db.selectFrom("derivative").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
    await stores.changeOneByte(urls.store, { key: made.objectKey, versionId: made.versionId });
    t.match(await audited(bench), { readCount: 2, intactCount: 1, damagedCount: 1, faults: [{ role: "poster" }] });
    t.match(await openAlarms(bench.db), [{ kind: "fixity-damage", subject: `${clipId}/poster` }]);
    t.equal((await bench.clip(clipId)).state, "sealed");
    const step = () =>
      bench.db
        .selectFrom("clipStep")
        .select(["state", "generation"])
        .where("clipId", "=", clipId)
        .where("step", "=", "transcode")
        .executeTakeFirstOrThrow();
    t.same(await step(), { state: "pending", generation: 2 }, "it is to be made again");
    t.match(await audited(bench), { damagedCount: 1 }, "read again before that, it is still damaged");
    t.same(await step(), { state: "pending", generation: 2 }, "and planned once");
  });
}
