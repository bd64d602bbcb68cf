import { sql } from "kysely";
import t from "tap";
import { eventProof, fixedCheckpoint, lastCheckpoint, runSequencer, sequenceBatch } from "#custody";
import { inTransaction } from "#db";
import { parseLeaf, verifyTlogProof } from "#evidence";
import { appendOne, appendSome, logDifferences, testLog } from "../support/log.ts";
import { until } from "../support/until.ts";

t.test("checkpoints are signed while events never stop coming, and each has its proof", async (t) => {
  const log = await testLog(t);
  const { db, key } = log;
  const stop = new AbortController();
  const onError = (error: unknown) => t.fail(String(error));
  const sequencer = runSequencer({ ...log, signal: stop.signal, pauseMs: 5, onError });
  const writing = new AbortController();
  const promised: string[] = [];
  const writers = Array.from({ length: 4 }, async () => {
    while (!writing.signal.aborted) promised.push(...(await appendSome(db, 7)));
  });
  const checkpoints = () => db.selectFrom("logCheckpoint").selectAll().execute();
  await until("ten checkpoints are signed under load", async () => (await checkpoints()).length >= 10);
  writing.abort();
  await Promise.all(writers);
  await until("the last event is covered", async () => (await lastCheckpoint(db))?.size === promised.length);
  stop.abort();
  await sequencer;
  t.same(await logDifferences(db, [key.vkey], promised), []);
  for (const id of [promised.at(0), promised.at(-1), promised[Math.floor(promised.length / 2)]]) {
    const proof = await eventProof(db, id ?? "");
    t.ok(proof);
    if (proof === undefined) continue;
    t.equal(parseLeaf(proof.leaf).id, id);
    t.equal(verifyTlogProof(proof.proof, proof.leaf, [key.vkey]).index, proof.index);
    const other = Buffer.concat([proof.leaf, Buffer.of(32)]);
    t.throws(() => verifyTlogProof(proof.proof, other, [key.vkey]), { code: "proof-rejected" });
  }
});

t.test("a backlog of many batches becomes one tree, whatever the batches", async (t) => {
  const { db, key } = await testLog(t);
  const promised = await appendSome(db, 700);
  for (const limit of [1, 255, 1, 300, 4000]) await sequenceBatch(db, limit);
  t.equal(await sequenceBatch(db), 0, "nothing waits any more");
  t.same(await logDifferences(db, [key.vkey], promised), []);
  await t.rejects(sql`UPDATE log_tile SET hashes = '\\x00'`.execute(db), { code: "42501" });
});

t.test("a transaction that appended and did not commit leaves nothing in the log", async (t) => {
  const { db, key } = await testLog(t);
  await t.rejects(
    inTransaction(db, async (tx) => {
      await appendOne(tx, 0);
      throw new Error("no");
    }),
    { message: "no" },
  );
  const [id] = await appendSome(db, 1);
  await sequenceBatch(db);
  const entries = await db.selectFrom("logEntry").select(["index", "eventId"]).execute();
  t.same(entries, [{ index: 0, eventId: id }], "gap-free");
  t.same(await logDifferences(db, [key.vkey]), []);
});

t.test("what was signed and fixed since a moment is found, and nothing earlier", async (t) => {
  const { db } = await testLog(t);
  const checkpoint = (size: number, signedAt: string) => ({ size, signedAt, root: Buffer.alloc(32, size), note: "n" });
  await db
    .insertInto("logCheckpoint")
    .values([1, 2, 3, 4].map((size) => checkpoint(size, `2026-01-0${size}T00:00:00Z`)))
    .execute();
  const since = new Date("2026-01-02T00:00:00Z");
  t.equal(await fixedCheckpoint(db, since), undefined, "signed alone is not fixed");
  const token = { generatedAt: "2026-01-05T00:00:00Z", authority: "a", independent: true, roots: [] };
  for (const size of [1, 3, 4]) {
    const row = { size, token: Buffer.of(size), ...token };
    await db.insertInto("logCheckpointTimestamp").values(row).execute();
  }
  t.match(await fixedCheckpoint(db, since), { size: 3, fixedBy: "timestamp", proof: Buffer.of(3) });
  t.match(await fixedCheckpoint(db, new Date(0)), { size: 1 });
  t.equal(await fixedCheckpoint(db, new Date("2026-01-04T00:00:00.001Z")), undefined);
});
