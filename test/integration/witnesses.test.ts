import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { pino } from "pino";
import t, { type Test } from "tap";
import {
  checkpointCovering,
  collectCosignatures,
  eventProof,
  fixedCheckpoint,
  openAlarms,
  parseWitnessFile,
  publishedCheckpoint,
  raiseAlarm,
  witnessFigures,
} from "#custody";
import { cosign, noteKeyPair, openCheckpoint, parseNote, parseSkey, parseTlogProof, signNote } from "#evidence";
import { systemClock } from "#kernel";
import { buildWitness, parseTrustedLogs, WitnessMemory } from "#witness";
import { signersIn } from "../../src/custody/log-key.ts";
import { fsckOfLog, fsckOfLogAfter } from "../support/fsck.ts";
import { appendSome, round, signerOf, type TestLog, testLog } from "../support/log.ts";
import { until } from "../support/until.ts";
import { RewritableLog } from "../support/witness-log.ts";

/** A witness on a port, which can be made to do something else first. */
async function witness(t: Pick<Test, "teardown">, { key }: Pick<TestLog, "key">, name: string) {
  const directory = await mkdtemp(join(tmpdir(), "dockseal-witness-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const memory = await WitnessMemory.open(directory, { name, newName: name });
  const logs = parseTrustedLogs(JSON.stringify({ logs: [{ origin: key.origin, keys: [key.vkey] }] }));
  const app = buildWitness({ memory, logs, clock: systemClock, logger: pino({ level: "silent" }) });
  const before: { act?: () => Promise<void> } = {};
  const requests: string[] = [];
  app.addHook("preHandler", async (request) => {
    requests.push(String(request.body));
    await before.act?.();
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  t.teardown(async () => {
    await app.close();
    memory.close();
  });
  const { port } = app.server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, key: memory.signer.vkey, memory, before, requests, name };
}

type TestWitness = Pick<Awaited<ReturnType<typeof witness>>, "url" | "key">;

/** The loop of `dockseal work`, until the test ends or stops it. */
function collecting(t: Pick<Test, "teardown">, log: TestLog, threshold: number, list: readonly TestWitness[]) {
  const stop = new AbortController();
  const errors: string[] = [];
  const file = JSON.stringify({ threshold, witnesses: list.map(({ url, key }) => ({ url, key })) });
  const loop = collectCosignatures(log.db, parseWitnessFile(file), {
    signal: stop.signal,
    pauseMs: 20,
    longestBackOffMs: 50,
    answerMs: 60_000,
    onError: (error, name) => errors.push(`${name}: ${String(error)}`),
    onAlarm: ({ kind, subject }) => errors.push(`ALARM ${kind} ${subject}`),
  });
  const end = async (): Promise<void> => {
    stop.abort();
    await loop;
  };
  t.teardown(end);
  return { errors, end };
}

async function grow(log: TestLog, count: number): Promise<string[]> {
  const ids = await appendSome(log.db, count);
  await round(log, signerOf(log));
  return ids;
}

const witnessedUpTo = (log: TestLog, size: number) =>
  until(`witnessed up to ${size}`, async () => (await witnessFigures(log.db)).witnessedSize >= size);

t.test("a proof leads to the first checkpoint that enough witnesses cosigned, and stays so", async (t) => {
  const log = await testLog(t);
  const [a, b, c] = await Promise.all(["a.example", "b.example", "c.example"].map((name) => witness(t, log, name)));
  if (a === undefined || b === undefined || c === undefined) throw new Error("three witnesses");
  const [event = ""] = await grow(log, 3);
  const before = await eventProof(log.db, event);
  t.match(before, { witnessed: false, checkpointSize: 3 });
  const since = new Date(Date.now() - 60_000);
  t.equal(await fixedCheckpoint(log.db, since), undefined);

  // c comes late: its line is not in the proof, which is another text only this once.
  const late = Promise.withResolvers<void>();
  c.before.act = () => late.promise;
  collecting(t, log, 2, [a, b, c]);
  await witnessedUpTo(log, 3);
  const after = await eventProof(log.db, event);
  const { checkpoint } = parseTlogProof(after?.proof ?? "");
  const keys = [log.key.vkey, a.key, b.key, c.key];
  t.match(after, { witnessed: true, checkpointSize: 3 });
  t.same(
    openCheckpoint(checkpoint, keys).cosignedBy.map(({ name }) => name),
    ["a.example", "b.example"],
  );
  const fixed = await fixedCheckpoint(log.db, since);
  t.match(fixed, { fixedBy: "witnesses", size: 3 });
  t.equal(`${fixed?.note}${fixed?.proof}`, checkpoint);
  t.equal(await fixedCheckpoint(log.db, new Date(Date.now() + 60_000)), undefined, "not one that was signed before");

  late.resolve();
  const published = await until("the third cosigned too", async () => {
    const head = await publishedCheckpoint(log.db);
    return openCheckpoint(head?.note ?? "", keys).cosignedBy.length === 3 && head;
  });
  t.equal(published.size, 3);
  const [later = ""] = await grow(log, 4);
  t.match(await eventProof(log.db, later), { checkpointSize: 7 });
  await witnessedUpTo(log, 7);
  t.match(await eventProof(log.db, later), { witnessed: true, checkpointSize: 7 });
  t.equal((await eventProof(log.db, event))?.proof, after?.proof, "the first one stays as it is");
  const { size, witnessed } = await checkpointCovering(log.db, [event, later], { signal: AbortSignal.timeout(60_000) });
  t.equal(size, 7);
  t.equal(witnessed?.threshold, 2);
  t.same(
    witnessed?.vkeys.toSorted(),
    [a.key, b.key, c.key].toSorted(),
    "an export names all witnesses, not two of them",
  );
  t.same((await fsckOfLog(log.db, log.key)).findings, [], "fsck is clean");
  const changes = [
    ["log-cosignature", sql`UPDATE log_cosignature SET line = overlay(line PLACING 'AAAA' FROM 60) WHERE size = 3`],
    ["log-witnessed", sql`UPDATE log_witnessed SET threshold = 4 WHERE size = 3`],
    ["log-witnessed", sql`DELETE FROM log_cosignature WHERE size = 3`],
  ] as const;
  for (const [kind, change] of changes) {
    const { findings } = await fsckOfLogAfter(log.db, log.key, (tx) => change.execute(tx));
    t.ok(
      findings.some((finding) => finding.kind === kind),
      `${kind} is named when it was changed`,
      { findings },
    );
  }
});

t.test("a witness that hangs holds up nobody: at most one request to it is under way", async (t) => {
  const log = await testLog(t);
  const good = await witness(t, log, "good.example");
  const hanging = await witness(t, log, "hanging.example");
  const never = Promise.withResolvers<void>();
  t.teardown(() => never.resolve());
  hanging.before.act = () => never.promise;
  collecting(t, log, 1, [hanging, good]);
  for (const size of [2, 4, 6, 8]) {
    await grow(log, 2);
    await witnessedUpTo(log, size);
  }
  t.equal(hanging.requests.length, 1);
});

t.test("a witness that is away, or answers nonsense, holds up nobody and is asked again", async (t) => {
  const log = await testLog(t);
  const good = await witness(t, log, "good.example");
  const back = await witness(t, log, "back.example");
  const nonsense = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.writeHead(200).end("— x\n"));
  });
  nonsense.listen(0, "127.0.0.1");
  await until("it listens", () => nonsense.listening);
  t.teardown(() => {
    nonsense.close();
  });
  const strange = noteKeyPair("strange.example", Buffer.alloc(32, 7), "cosignature").vkey;
  const away = noteKeyPair("away.example", Buffer.alloc(32, 8), "cosignature").vkey;
  let isBack = false;
  back.before.act = async () => {
    if (!isBack) throw new Error("not now");
  };
  const { port } = nonsense.address() as AddressInfo;
  const { errors } = collecting(t, log, 2, [
    good,
    back,
    { url: `http://127.0.0.1:${port}`, key: strange },
    { url: "http://127.0.0.1:1", key: away },
  ]);
  await grow(log, 5);
  const cosignedBy = async (key: string) =>
    (await witnessFigures(log.db)).standings.find(({ vkey }) => vkey === key)?.size ?? 0;
  await until("the good one cosigned", async () => (await cosignedBy(good.key)) === 5);
  t.equal((await witnessFigures(log.db)).witnessedSize, 0, "one is not two");
  await until("all others failed", () =>
    ["back", "strange", "away"].every((name) => errors.some((error) => error.includes(`${name}.example`))),
  );
  await grow(log, 2);
  await until("the good one goes on", async () => (await cosignedBy(good.key)) === 7);
  isBack = true;
  await witnessedUpTo(log, 7);
  t.match(await openAlarms(log.db), [{ kind: "witness-refuses", subject: /^strange\.example\+/ }]);
});

t.test(
  "a killed collector is not missed: the next one learns the size from the witness, and counts what was kept",
  async (t) => {
    const log = await testLog(t);
    const a = await witness(t, log, "a.example");
    const b = await witness(t, log, "b.example");
    await grow(log, 3);
    // a cosigned 3, but the answer never came here; b's line was kept, but not yet counted.
    const { note } = (await publishedCheckpoint(log.db)) ?? { note: "" };
    const { text } = parseNote(note);
    await fetch(`${a.url}/add-checkpoint`, { method: "POST", body: `old 0\n\n${note}` });
    await log.db
      .insertInto("logCosignature")
      .values({ size: 3, witness: b.key, line: cosign(text, b.memory.signer, 1_800_000_000) })
      .execute();
    const [name, id] = a.key.split("+");
    await raiseAlarm(log.db, { kind: "log-forked", subject: `${name}+${id}`, detail: "of an earlier process" });
    const { end, errors } = collecting(t, log, 2, [a, b]);
    await witnessedUpTo(log, 3);
    t.same(
      a.requests.map((body) => body.split("\n")[0]),
      ["old 0", "old 0", "old 3"],
    );
    await end();
    await grow(log, 2);
    await Promise.all([1, 2, 3].map(() => collecting(t, log, 2, [a, b])));
    await witnessedUpTo(log, 5);
    t.same(errors, []);
    t.same(await openAlarms(log.db), [], "three at once disturb nobody, and what was an alarm is over");
  },
);

t.test(
  "a witness that saw more than this log has, or another history, is an alarm until it cosigns again",
  async (t) => {
    const log = await testLog(t);
    const ahead = await witness(t, log, "ahead.example");
    const other = await witness(t, log, "other.example");
    await grow(log, 3);
    const [signer] = await signersIn(log.key);
    const twin = await new RewritableLog(log.key.origin).growTo(2, "another story");
    // Signed by the log's real key: whoever rewrites the database has it.
    const signed = async (size: number): Promise<string> => {
      return signNote(parseNote(await twin.checkpoint(size)).text, [signer]);
    };
    await fetch(`${other.url}/add-checkpoint`, { method: "POST", body: `old 0\n\n${await signed(2)}` });
    await twin.growTo(9, "another story");
    await fetch(`${ahead.url}/add-checkpoint`, { method: "POST", body: `old 0\n\n${await signed(9)}` });
    const { errors } = collecting(t, log, 2, [ahead, other]);
    const told = () => errors.filter((error) => error.startsWith("ALARM")).length;
    const alarms = await until("both alarm", async () => {
      const open = await openAlarms(log.db);
      // One of the database is there a moment before who raised it has its answer.
      return open.length === 2 && told() >= 2 && open;
    });
    t.same(
      alarms.map(({ kind }) => kind),
      ["log-forked", "log-forked"],
    );
    const detail = (name: string) => alarms.find(({ subject }) => subject.startsWith(name))?.detail;
    t.match(detail("ahead"), /it has seen 9 entries, this log has signed 3\. .*docs\/operations\.md/);
    t.match(detail("other"), /3 entries do not continue the 2 that it has seen/);
    t.equal(told(), 2, "news once, however often it is asked");
    t.match(other.memory.alarms(), [{ kind: "inconsistent", size: 3 }], "and the witness holds it against the log");
    t.equal((await witnessFigures(log.db)).witnessedSize, 0);
  },
);

t.test("a file of witnesses is taken whole or not at all", async (t) => {
  const key = (seed: number, type: "note" | "cosignature" = "cosignature") =>
    parseSkey(noteKeyPair("w.example", Buffer.alloc(32, seed), type).skey).vkey;
  const good = { threshold: 1, witnesses: [{ url: "https://w.example/sub/", key: key(1) }] };
  t.match(parseWitnessFile(JSON.stringify(good)), {
    threshold: 1,
    list: [{ url: "https://w.example/sub", vkey: key(1), name: /^w\.example\+[0-9a-f]{8}$/ }],
  });
  const [one] = good.witnesses;
  for (const [why, bad] of [
    ["no JSON", "{"],
    ["another member", JSON.stringify({ ...good, quorum: 1 })],
    ["another member inside", JSON.stringify({ ...good, witnesses: [{ ...one, name: "w" }] })],
    ["no witness", JSON.stringify({ ...good, witnesses: [] })],
    ["a threshold that cannot be met", JSON.stringify({ ...good, threshold: 2 })],
    ["a log's key", JSON.stringify({ ...good, witnesses: [{ ...one, key: key(1, "note") }] })],
    ["the same key twice", JSON.stringify({ ...good, witnesses: [one, one] })],
    ["no URL", JSON.stringify({ ...good, witnesses: [{ ...one, url: "w.example" }] })],
    ["another scheme", JSON.stringify({ ...good, witnesses: [{ ...one, url: "ftp://w.example" }] })],
    ["a query", JSON.stringify({ ...good, witnesses: [{ ...one, url: "http://w.example?x=1" }] })],
    ["a password", JSON.stringify({ ...good, witnesses: [{ ...one, url: "http://u:p@w.example" }] })],
  ] as const) {
    t.throws(() => parseWitnessFile(bad), { code: "configuration-invalid", message: /^DOCKSEAL_WITNESS_FILE/ }, why);
  }
});
