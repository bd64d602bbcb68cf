import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import t, { type Test } from "tap";
import { noteKeyPair, openNote, parseNote, parseSkey, signCheckpoint, signNote } from "#evidence";
import { buildWitness, parseTrustedLogs, WitnessMemory } from "#witness";
import { RewritableLog } from "../support/witness-log.ts";

const NAME = "bureau.example/w1";
const log = await new RewritableLog().growTo(50);
const twin = await new RewritableLog().growTo(20).then((forked) => forked.growTo(50, "another story"));
const named = { name: NAME, newName: "unused" };

interface Wish {
  readonly directory?: string;
  readonly now?: () => Date;
  readonly keys?: readonly string[];
}

/** A witness without a socket. */
async function witness(t: Pick<Test, "teardown" | "testdir">, wish: Wish = {}) {
  const directory = wish.directory ?? t.testdir();
  const memory = await WitnessMemory.open(directory, named);
  const policy = { logs: [{ origin: log.origin, keys: wish.keys ?? [log.signer.vkey] }] };
  const app = buildWitness({
    memory,
    logs: parseTrustedLogs(JSON.stringify(policy)),
    clock: { now: wish.now ?? (() => new Date("2026-11-22T10:00:00Z")) },
    logger: pino({ level: "silent" }),
  });
  let open = true;
  const close = async (): Promise<void> => {
    await app.close();
    if (open) memory.close();
    open = false;
  };
  t.teardown(close);
  const add = async (body: string | Buffer, headers: Record<string, string> = {}) => {
    const {
      statusCode,
      body: text,
      headers: got,
    } = await app.inject({
      method: "POST",
      url: "/add-checkpoint",
      payload: body,
      headers,
    });
    return { status: statusCode, body: text, type: got["content-type"] };
  };
  const get = async <T>(url: string) => (await app.inject({ method: "GET", url })).json<T>();
  const alarms = async () => (await get<{ alarms: Record<string, unknown>[] }>("/alarms")).alarms;
  return { app, memory, close, add, get, alarms, vkey: memory.signer.vkey };
}

t.test("a growing log is cosigned, from whatever it was cosigned at last", async (t) => {
  const { add, get, alarms, vkey } = await witness(t);
  for (const [oldSize, size] of [
    [0, 1],
    [1, 7],
    [7, 7],
    [7, 40],
    [40, 50],
  ] as const) {
    const answer = await add(await log.request(oldSize, size));
    t.equal(answer.status, 200, `${oldSize} to ${size}`);
    const { text } = parseNote(await log.checkpoint(size));
    const time = Date.parse("2026-11-22T10:00:00Z") / 1000;
    t.same(openNote(`${text}\n${answer.body}`, [vkey]).cosignedBy, [{ vkey, name: NAME, time }]);
  }
  t.match(await get("/logs"), {
    logs: [{ origin: log.origin, head: { size: 50, checkpoint: await log.checkpoint() } }],
  });
  t.same(await alarms(), []);
});

t.test("an old size that is not the witness's is answered with the size that is", async (t) => {
  const { add, alarms } = await witness(t);
  t.match(await add(await log.request(3, 40)), { status: 409, body: "0\n", type: /^text\/x\.tlog\.size$/ });
  t.equal((await add(await log.request(0, 40))).status, 200);
  for (const [oldSize, size] of [
    [0, 50],
    [39, 50],
    [41, 50],
    [0, 40],
    [0, 10],
    [10, 30],
  ] as const) {
    t.match(await add(await log.request(oldSize, size)), { status: 409, body: "40\n", type: /^text\/x\.tlog\.size$/ });
  }
  t.same(await alarms(), [], "an old checkpoint of the same history is no offence");
});

t.test("what is not a request, not of a known log, or not signed by it, is refused as such", async (t) => {
  const { add, alarms, app } = await witness(t);
  const good = await log.request(0, 40);
  const wrong: [string, number, string | Buffer][] = [
    ["nothing", 400, ""],
    ["no request", 400, "{}"],
    ["no UTF-8", 400, Buffer.of(0xff, 0xfe)],
    ["an old size beyond the checkpoint's", 400, await log.request(41, 40)],
    ["64 hashes", 400, good.replace("old 0\n", `old 0\n${`${Buffer.alloc(32).toString("base64")}\n`.repeat(64)}`)],
    ["a log that is not known", 404, await (await new RewritableLog("other.example/log").growTo(3)).request(0)],
    ["a key that is not known", 403, await (await new RewritableLog(log.origin, 9).growTo(3)).request(0)],
    ["a signature that is wrong", 403, good.replace("\n40\n", "\n41\n")],
    ["too much", 413, good + "x".repeat(128 * 1024)],
  ];
  for (const [why, status, body] of wrong) t.equal((await add(body)).status, status, why);
  const witnessOfThatName = parseSkey(noteKeyPair(log.origin, Buffer.alloc(32, 1), "cosignature").skey);
  t.notSame(witnessOfThatName.id, log.signer.id);
  t.same(await alarms(), [], "a stranger's word is no evidence against the log");
  t.equal((await add(good, { "content-type": "text/plain" })).status, 200, "whatever the media type says");
  t.equal((await app.inject({ method: "GET", url: "/add-checkpoint" })).statusCode, 404);
});

t.test("lines of strangers in a checkpoint neither help nor hinder, nor are they kept", async (t) => {
  const { add, get } = await witness(t);
  const stranger = parseSkey(noteKeyPair("stranger.example", Buffer.alloc(32, 5)).skey);
  const checkpoint = await log.checkpoint(40);
  const padded = signNote(parseNote(checkpoint).text, [stranger, log.signer, stranger]);
  t.equal((await add((await log.request(0, 40)).replace(checkpoint, padded))).status, 200);
  t.match(await get("/logs"), { logs: [{ head: { checkpoint } }] });
});

t.test("a log changes its key: both count while both are in the policy", async (t) => {
  const next = parseSkey(noteKeyPair(log.origin, Buffer.alloc(32, 8)).skey);
  const { add } = await witness(t, { keys: [log.signer.vkey, next.vkey] });
  t.equal((await add(await log.request(0, 40))).status, 200, "the old one alone");
  const checkpoint = await log.checkpoint(41);
  const by = (...signers: (typeof next)[]): string => signNote(parseNote(checkpoint).text, signers);
  const request = await log.request(40, 41);
  t.equal((await add(request.replace(checkpoint, by(log.signer, next)))).status, 200, "both");
  t.equal((await add((await log.request(41, 41)).replace(checkpoint, by(next)))).status, 200, "the new one alone");
});

t.test("another tree of a size that was seen is refused, kept as evidence, and an alarm", async (t) => {
  const { add, alarms } = await witness(t);
  t.equal((await add(await log.request(0, 30))).status, 200);
  t.equal((await add(await log.request(30, 40))).status, 200);
  t.match(await add(await twin.request(40, 40)), { status: 409, body: "40\n" }, "at the head");
  t.match(await add(await twin.request(0, 30)), { status: 409, body: "40\n" }, "at a size before it");
  t.match(
    await add(await twin.request(0, 20)),
    { status: 409, body: "40\n" },
    "what both histories share is no offence",
  );
  t.match(await alarms(), [
    { kind: "split-view", size: 40, checkpoint: await twin.checkpoint(40), seen: await log.checkpoint(40) },
    { kind: "split-view", size: 30, checkpoint: await twin.checkpoint(30), seen: await log.checkpoint(30) },
  ]);
  t.equal((await add(await twin.request(40, 40))).status, 409, "again and again");
  t.equal((await alarms()).length, 2, "which is the same alarm");
  t.equal((await add(await log.request(40, 41))).status, 200, "the history that was seen goes on");
});

t.test("a rewritten history that only grew is refused, kept as evidence, and an alarm", async (t) => {
  const { add, alarms, get, app } = await witness(t);
  t.equal((await add(await log.request(0, 40))).status, 200);
  const answer = await add(await twin.request(40, 41));
  t.equal(answer.status, 422);
  t.notMatch(answer.body, /\u2014/, "no cosignature");
  const evidence = {
    kind: "inconsistent",
    size: 41,
    checkpoint: await twin.checkpoint(41),
    seen: await log.checkpoint(40),
  };
  t.match(await alarms(), [evidence]);
  t.match(await get("/logs"), { logs: [{ head: { size: 40 } }] });
  t.equal((await add(await log.request(40, 41))).status, 200);
  t.match(await add(await twin.request(41, 42)), { status: 422 });
  t.match(await alarms(), [{ size: 41 }, { size: 42 }]);
  const metrics = (await app.inject("/metrics")).body;
  t.match(metrics, /dockseal_witness_size\{origin="county.example\/log"\} 41\n/);
  t.match(metrics, /dockseal_witness_alarms\{origin="county.example\/log"\} 2\n/);
  t.match(metrics, /dockseal_witness_requests_total\{status="422"\} 2\n/);
});

t.test("a true checkpoint that somebody sent with a wrong proof is an alarm until it is proven", async (t) => {
  const { add, alarms } = await witness(t);
  t.equal((await add(await log.request(0, 40))).status, 200);
  const good = await log.request(40, 41);
  const [, ...lines] = good.split("\n");
  t.equal((await add(["old 40", Buffer.alloc(32).toString("base64"), ...lines].join("\n"))).status, 422);
  t.match(await alarms(), [{ kind: "inconsistent", size: 41 }]);
  t.equal((await add(good)).status, 200);
  t.same(await alarms(), [], "now it is");
  const same = await log.request(41, 41);
  t.equal((await add(same.replace("old 41\n", `old 41\n${Buffer.alloc(32).toString("base64")}\n`))).status, 422);
  t.same(await alarms(), [], "a superfluous proof between equal trees says nothing");
});

t.test("the empty tree has one root", async (t) => {
  const { add, alarms } = await witness(t);
  const impossible = { origin: log.origin, size: 0, root: Buffer.alloc(32), extensions: [] };
  t.equal((await add(`old 0\n\n${signCheckpoint(impossible, [log.signer])}`)).status, 409);
  t.match(await alarms(), [{ kind: "split-view", size: 0 }]);
  t.equal((await add(await log.request(0, 0))).status, 200);
  const hash = `${Buffer.alloc(32).toString("base64")}\n`;
  t.equal(
    (await add((await log.request(0, 3)).replace("old 0\n", `old 0\n${hash}`))).status,
    422,
    "a proof from nothing",
  );
  t.equal((await add(await log.request(0, 3))).status, 200);
});

t.test("time in cosignatures of a log never goes back, whatever the clock does", async (t) => {
  let now = new Date("2026-11-22T10:00:05Z");
  const { add, vkey } = await witness(t, { now: () => now });
  const times: (number | undefined)[] = [];
  for (const [oldSize, size, at] of [
    [0, 40, "10:00:05"],
    [40, 40, "10:00:07"],
    [40, 41, "09:00:00"],
    [41, 42, "10:00:09"],
  ] as const) {
    now = new Date(`2026-11-22T${at}Z`);
    const { body } = await add(await log.request(oldSize, size));
    const { cosignedBy } = openNote(`${parseNote(await log.checkpoint(size)).text}\n${body}`, [vkey]);
    times.push(cosignedBy[0]?.time);
  }
  const first = Date.parse("2026-11-22T10:00:05Z") / 1000;
  t.same(times, [first, first + 2, first + 2, first + 4]);
});

t.test("key, heads and alarms outlive the process, and the key has one name", async (t) => {
  const directory = t.testdir();
  const first = await witness(t, { directory });
  await first.add(await log.request(0, 40));
  await first.add(await twin.request(40, 41));
  await first.close();
  const second = await witness(t, { directory });
  t.equal(second.vkey, first.vkey);
  t.match(await second.add(await twin.request(40, 40)), { status: 409 });
  t.match(await second.alarms(), [{ size: 41 }, { size: 40 }]);
  await t.rejects(WitnessMemory.open(directory, { name: "other.example", newName: "" }), {
    code: "configuration-invalid",
  });
  const unnamed = await WitnessMemory.open(directory, { name: undefined, newName: "other.example" });
  t.equal(unnamed.signer.name, NAME, "without a name the one that it has");
  unnamed.close();
  await t.rejects(WitnessMemory.open(join(directory, "none")), { code: "usage" });
  const both = await Promise.all([1, 2].map(() => WitnessMemory.open(join(directory, "new"), named)));
  t.equal(both[0]?.signer.vkey, both[1]?.signer.vkey, "two that begin at once are one witness");
  for (const memory of both) memory.close();
  t.equal((await stat(join(directory, "witness.db"))).mode & 0o777, 0o600);
});

t.test("when the memory cannot be written nothing is cosigned, and the witness says so", async (t) => {
  const { add, memory, get } = await witness(t);
  t.equal((await add(await log.request(0, 40))).status, 200);
  const remember = memory.remember;
  memory.remember = () => {
    throw new Error("database or disk is full");
  };
  t.match(await add(await log.request(40, 41)), { status: 503, body: /try again/ });
  memory.remember = remember;
  t.match(await get("/logs"), { logs: [{ head: { size: 40 } }] });
  t.equal((await add(await log.request(40, 41))).status, 200);
});

t.test("a memory of another form is left alone", async (t) => {
  const directory = t.testdir();
  const memory = await WitnessMemory.open(directory, named);
  memory.close();
  const path = join(directory, "witness.db");
  const bytes = await readFile(path);
  bytes.writeUInt32BE(7, 60); // user_version (https://sqlite.org/fileformat.html)
  await writeFile(path, bytes);
  await t.rejects(WitnessMemory.open(directory, named), { code: "configuration-invalid", message: /the form 7/ });
});

t.test("a policy file is taken whole or not at all", async (t) => {
  const { vkey } = log.signer;
  const good = { logs: [{ origin: log.origin, keys: [vkey] }] };
  t.same([...parseTrustedLogs(JSON.stringify(good))], [[log.origin, [vkey]]]);
  const cosigner = noteKeyPair("w", Buffer.alloc(32), "cosignature").vkey;
  for (const [why, bad] of [
    ["no JSON", "{"],
    ["no logs", JSON.stringify({ logs: [] })],
    ["another member", JSON.stringify({ ...good, more: 1 })],
    ["another member inside", JSON.stringify({ logs: [{ ...good.logs[0], key: 1 }] })],
    ["no key", JSON.stringify({ logs: [{ origin: log.origin, keys: [] }] })],
    ["a key that is none", JSON.stringify({ logs: [{ origin: log.origin, keys: ["x"] }] })],
    ["a witness's key", JSON.stringify({ logs: [{ origin: log.origin, keys: [cosigner] }] })],
    ["an origin twice", JSON.stringify({ logs: [...good.logs, ...good.logs] })],
  ] as const) {
    t.throws(() => parseTrustedLogs(bad), { code: "configuration-invalid", message: /the witness's policy/ }, why);
  }
});
