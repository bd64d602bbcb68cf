import { createPublicKey, sign, verify } from "node:crypto";
import t from "tap";
import {
  cosign,
  noteKeyPair,
  openCheckpoint,
  openNote,
  parseNote,
  parseSkey,
  parseVkey,
  parseWitnessPolicy,
  signCheckpoint,
  signNote,
  witnessesOf,
} from "#evidence";

const malformed = { code: "malformed-proof" };
const rejected = { code: "proof-rejected" };
const TIME = 1_679_315_147;

const signer = (name: string, seed: number, type: "note" | "cosignature") =>
  parseSkey(noteKeyPair(name, Buffer.alloc(32, seed), type).skey);
const log = signer("log.example/custody", 1, "note");
const bureau = signer("bureau.example/w1", 2, "cosignature");
const court = signer("court.example/w1", 3, "cosignature");
const checkpoint = signCheckpoint({ origin: log.name, size: 3, root: Buffer.alloc(32, 9), extensions: ["more"] }, [
  log,
]);
const { text } = parseNote(checkpoint);

/** A signature line of whatever bytes. */
function line(name: string, id: Buffer, signature: Buffer): string {
  return `\u2014 ${name} ${Buffer.concat([id, signature]).toString("base64")}\n`;
}

/** A `timestamped_signature` over whatever message. */
function stamped(message: string, time: bigint): Buffer {
  const timestamp = Buffer.alloc(8);
  timestamp.writeBigUInt64BE(time);
  return Buffer.concat([timestamp, sign(null, Buffer.from(message), bureau.key)]);
}

t.test("a cosignature is a time and a signature over the lines that C2SP tlog-cosignature says", async (t) => {
  const cosignature = cosign(text, bureau, TIME);
  const [signature] = parseNote(`${text}\n${cosignature}`).signatures;
  t.match(cosignature, /^\u2014 bureau\.example\/w1 [A-Za-z0-9+/]+=*\n$/);
  t.equal(signature?.signature.length, 72);
  t.equal(signature?.signature.readBigUInt64BE(), BigInt(TIME));
  const message = Buffer.from(`cosignature/v1\ntime ${TIME}\n${text}`);
  t.ok(verify(null, message, createPublicKey(bureau.key), signature?.signature.subarray(8) ?? Buffer.of()));
  t.match(message.toString(), /\nmore\n$/, "extension lines are cosigned too");
});

t.test("keys of a witness are of type 04 in their text forms, and another key than those of type 01", async (t) => {
  const { vkey } = bureau;
  t.equal(Buffer.from(vkey.split("+").slice(2).join("+"), "base64")[0], 4);
  t.equal(parseVkey(vkey).type, "cosignature");
  t.equal(parseVkey(log.vkey).type, "note");
  const plain = noteKeyPair(bureau.name, Buffer.alloc(32, 2));
  t.notSame(parseVkey(plain.vkey).id, bureau.id, "the key id commits to the type");
  t.equal(parseSkey(noteKeyPair(bureau.name, Buffer.alloc(32, 2), "cosignature").skey).vkey, vkey);
  const [name, id, key = ""] = vkey.split("+");
  const other = Buffer.from(key, "base64");
  for (const type of [0, 1, 2, 3, 5, 6, 0xff]) {
    other[0] = type;
    t.throws(() => parseVkey(`${name}+${id}+${other.toString("base64")}`), malformed, `type ${type} under this id`);
  }
});

t.test("a witness's key signs nothing but cosignatures, and no other key does", async (t) => {
  t.throws(() => signNote(text, [bureau]), malformed);
  t.throws(() => cosign(text, log, TIME), malformed);
  for (const time of [0, -1, 1.5, Number.NaN, 2 ** 53])
    t.throws(() => cosign(text, bureau, time), malformed, `${time}`);
});

t.test("cosignatures of known witnesses are found beside the log's signature, each once", async (t) => {
  const note = `${checkpoint}${cosign(text, bureau, TIME)}${cosign(text, court, TIME + 1)}`;
  const opened = openCheckpoint(note, [log.vkey, bureau.vkey, court.vkey], log.name);
  t.same(opened.verifiedBy, [log.name]);
  t.same(opened.cosignedBy, [
    { vkey: bureau.vkey, name: bureau.name, time: TIME },
    { vkey: court.vkey, name: court.name, time: TIME + 1 },
  ]);
  t.same(openNote(note, [bureau.vkey]).verifiedBy, []);
  t.same(openCheckpoint(note, [log.vkey]).cosignedBy, [], "those of unknown witnesses are passed over");
  for (const order of [
    [TIME + 5, TIME],
    [TIME, TIME + 5],
  ]) {
    const twice = `${checkpoint}${order.map((time) => cosign(text, bureau, time)).join("")}`;
    t.match(openNote(twice, [bureau.vkey]).cosignedBy, [{ time: TIME + 5 }], "the latest counts");
    t.equal(openNote(twice, [bureau.vkey]).cosignedBy.length, 1);
  }
});

t.test("a witness does not speak for a log, whatever its name", async (t) => {
  const impostor = signer(log.name, 4, "cosignature");
  const note = `${text}\n${cosign(text, impostor, TIME)}`;
  t.same(openNote(note, [impostor.vkey]).cosignedBy.length, 1);
  t.throws(() => openCheckpoint(note, [log.vkey, impostor.vkey]), rejected);
  const asLog = `${text}\n${line(log.name, impostor.id, sign(null, Buffer.from(text), impostor.key))}`;
  t.throws(() => openCheckpoint(asLog, [log.vkey, impostor.vkey]), rejected, "with a plain signature neither");
});

t.test("a cosignature that is not one is refused with the whole note", async (t) => {
  const good = `cosignature/v1\ntime ${TIME}\n${text}`;
  t.ok(openNote(`${checkpoint}${line(bureau.name, bureau.id, stamped(good, BigInt(TIME)))}`, [bureau.vkey]));
  for (const [why, signature] of [
    ["another time than was signed", stamped(good, BigInt(TIME + 1))],
    ["another text", stamped(good.replace("\n3\n", "\n4\n"), BigInt(TIME))],
    ["without extension lines", stamped(good.replace("more\n", ""), BigInt(TIME))],
    ["another header", stamped(good.replace("v1", "v2"), BigInt(TIME))],
    ["the text alone", stamped(text, BigInt(TIME))],
    ["no time", stamped(`cosignature/v1\ntime 0\n${text}`, 0n)],
    ["a time beyond 2^53", stamped(`cosignature/v1\ntime ${2n ** 60n}\n${text}`, 2n ** 60n)],
    ["a time beyond 2^63", stamped(`cosignature/v1\ntime ${2n ** 63n}\n${text}`, 2n ** 63n)],
    ["a byte more", Buffer.concat([stamped(good, BigInt(TIME)), Buffer.of(0)])],
    ["a byte less", stamped(good, BigInt(TIME)).subarray(0, -1)],
    ["no time before the signature", stamped(good, BigInt(TIME)).subarray(8)],
    ["nothing but the time", stamped(good, BigInt(TIME)).subarray(0, 8)],
  ] as const) {
    const note = `${checkpoint}${line(bureau.name, bureau.id, signature)}`;
    t.throws(() => openNote(note, [log.vkey, bureau.vkey]), rejected, why);
  }
});

t.test("no changed byte leaves a cosigned checkpoint with that cosignature", async (t) => {
  const note = Buffer.from(`${checkpoint}${cosign(text, bureau, TIME)}`);
  for (let at = 0; at < note.length; at += 1) {
    const changed = Buffer.from(note);
    changed[at] = (changed[at] ?? 0) ^ 1;
    let found: number;
    try {
      found = openCheckpoint(changed.toString("utf8"), [log.vkey, bureau.vkey]).cosignedBy.length;
    } catch (error) {
      t.match(error, { name: "DocksealError" });
      continue;
    }
    t.equal(found, 0, `byte ${at}: the line became one of an unknown key`);
  }
});

t.test("a policy says how many of which witnesses, and takes nothing else", async (t) => {
  const keys = [bureau.vkey, court.vkey];
  t.same(parseWitnessPolicy({ threshold: 2, keys }, "policy"), { threshold: 2, keys });
  const renamed = noteKeyPair("elsewhere.example", Buffer.alloc(32, 2), "cosignature").vkey;
  const many = Array.from({ length: 100 }, (_, at) => signer("w", 100 + at, "cosignature").vkey);
  t.ok(parseWitnessPolicy({ threshold: 1, keys: many.slice(1) }, "policy"));
  for (const [why, bad] of [
    ["no object", [2, keys]],
    ["a member more", { threshold: 1, keys, more: 1 }],
    ["a member less", { keys }],
    ["keys that are none", { threshold: 1, keys: "x" }],
    ["a key that is no text", { threshold: 1, keys: [1] }],
    ["a log's key", { threshold: 1, keys: [log.vkey] }],
    ["a key twice", { threshold: 1, keys: [bureau.vkey, bureau.vkey] }],
    ["a key twice, under two names", { threshold: 2, keys: [bureau.vkey, renamed] }],
    ["too many", { threshold: 1, keys: many }],
    ["a threshold of none", { threshold: 0, keys }],
    ["a threshold that cannot be met", { threshold: 3, keys }],
    ["a threshold that is no count", { threshold: 1.5, keys }],
    ["no witnesses", { threshold: 1, keys: [] }],
  ] as const) {
    t.throws(() => parseWitnessPolicy(bad, "policy"), malformed, why);
  }
});

t.test("a checkpoint is witnessed once as many trusted witnesses as wanted cosigned it", async (t) => {
  const policy = { threshold: 2, keys: [bureau.vkey, court.vkey] };
  const one = `${checkpoint}${cosign(text, bureau, TIME)}`;
  const both = `${one}${cosign(text, court, TIME)}`;
  t.same(witnessesOf(checkpoint, [log.vkey], policy), { names: [], witnessed: false });
  t.same(witnessesOf(one, [log.vkey], policy), { names: [bureau.name], witnessed: false });
  t.same(witnessesOf(both, [log.vkey], policy), { names: [bureau.name, court.name], witnessed: true });
  t.equal(witnessesOf(`${one}${cosign(text, bureau, TIME + 9)}`, [log.vkey], policy).witnessed, false, "twice is one");
  t.throws(() => witnessesOf(both, [], policy), rejected, "witnesses without the log are nothing");
  const elsewhere = parseNote(signCheckpoint({ ...openCheckpoint(checkpoint, [log.vkey]), size: 4 }, [log])).text;
  t.throws(() => witnessesOf(`${one}${cosign(elsewhere, court, TIME)}`, [log.vkey], policy), rejected);
});
