import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { noteKeyPair, openNote, parseNote, parseSkey, parseVkey, signedByThese, signNote } from "#evidence";

interface Vectors {
  valid: { vkey: string; note: string }[];
  signing_golden: { skey: string; text: string; line: string };
  bad_vkeys: string[];
}

const vectors: Vectors = JSON.parse(
  readFileSync(new URL("../../vectors/note/signed-note.json", import.meta.url), "utf8"),
);
const malformed = { code: "malformed-proof" };
const rejected = { code: "proof-rejected" };
const { skey, vkey } = noteKeyPair("log.example", Buffer.alloc(32, 1));
const note = signNote("one\n\ntwo\n", [parseSkey(skey)]);

t.test("the published notes verify with their keys, and only with them", async (t) => {
  for (const { vkey, note } of vectors.valid) {
    const name = vkey.slice(0, vkey.indexOf("+"));
    t.same(openNote(note, [vkey]).verifiedBy, [name]);
    t.throws(() => openNote(note, [noteKeyPair(name, Buffer.alloc(32, 9)).vkey]), rejected, "same name, other key");
  }
  const [, peter, enoch] = vectors.valid;
  const both = openNote(enoch?.note ?? "", [enoch?.vkey ?? "", peter?.vkey ?? ""]);
  t.same(both.verifiedBy, ["PeterNeumann", "EnochRoot"]);
});

t.test("signing gives the published signature", async (t) => {
  const { skey, text, line } = vectors.signing_golden;
  t.equal(signNote(text, [parseSkey(skey)]), `${text}\n${line}`);
});

t.test("a key whose id, type, name or encoding is wrong is refused", async (t) => {
  for (const bad of vectors.bad_vkeys) t.throws(() => parseVkey(bad), malformed);
  const [name = "", id = "", key = ""] = vkey.split("+");
  const otherId = `${id.startsWith("0") ? "1" : "0"}${id.slice(1)}`;
  for (const bad of [
    "",
    name,
    `${name}+${id}`,
    `+${id}+${key}`,
    `${name}+${id.toUpperCase()}A+${key}`,
    `${name}+${id}+${key}=`,
    `${name}+${id}+${Buffer.alloc(33, 2).toString("base64")}`,
    `${name}+${id}+AQ==`,
    `na me+${id}+${key}`,
    `${name}+${otherId}+${key}`,
  ]) {
    t.throws(() => parseVkey(bad), malformed, bad);
  }
  t.throws(() => parseSkey(vkey), malformed);
  t.throws(() => parseSkey(skey.replace(id, otherId)), malformed);
  t.throws(() => noteKeyPair("log", Buffer.alloc(31)), malformed);
  for (const name of ["", "a+b", "a b", "a\u2003b", "a\u0085b", "a\u0007b", "a\ud800b"]) {
    t.throws(() => noteKeyPair(name, Buffer.alloc(32)), malformed, JSON.stringify(name));
  }
});

t.test("any text with a final newline and no control character survives signing and opening", async (t) => {
  const line = fc.string({ unit: "grapheme" }).filter((text) => !/\p{Cc}/u.test(text) && text.isWellFormed());
  fc.assert(
    fc.property(fc.array(line), fc.uint8Array({ minLength: 32, maxLength: 32 }), (lines, seed) => {
      const text = `${lines.join("\n")}\n`;
      const pair = noteKeyPair("log.example", seed);
      t.same(openNote(signNote(text, [parseSkey(pair.skey)]), [pair.vkey]), {
        text,
        verifiedBy: ["log.example"],
        cosignedBy: [],
      });
    }),
    { numRuns: 50 },
  );
  for (const text of ["", "no newline", "tab\t\n", "return\r\n", "lone \ud800\n"]) {
    t.throws(() => signNote(text, [parseSkey(skey)]), malformed, JSON.stringify(text));
  }
});

t.test("no changed character leaves a note valid", async (t) => {
  const bytes = Buffer.from(note);
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    t.throws(() => openNote(changed.toString("utf8"), [vkey]), `byte ${at}`);
  }
});

t.test("signatures of unknown keys are passed over, a wrong one of a known key is not", async (t) => {
  const other = parseSkey(noteKeyPair("witness.example", Buffer.alloc(32, 2)).skey);
  const cosigned = signNote("one\n\ntwo\n", [parseSkey(skey), other]);
  t.same(openNote(cosigned, [vkey]).verifiedBy, ["log.example"]);
  t.same(openNote(cosigned, [other.vkey]).verifiedBy, ["witness.example"]);
  t.throws(() => openNote(cosigned, []), rejected);
  const forged = cosigned.replace("one", "0ne");
  t.throws(() => openNote(forged, [vkey]), { ...rejected, message: /signature of log.example is wrong/ });
  const line = note.slice(note.indexOf("\u2014"));
  t.same(openNote(`${note}${line}`, [vkey]).verifiedBy, ["log.example"], "the same signature twice is one name");
  const id = parseVkey(vkey).id;
  const wrong = `\u2014 log.example ${Buffer.concat([id, Buffer.alloc(64)]).toString("base64")}\n`;
  t.throws(() => openNote(`${note}${wrong}`, [vkey]), rejected, "a right one does not make up for a wrong one");
});

t.test("of a note that strangers added lines to, those of known keys are kept, each once", async (t) => {
  const other = parseSkey(noteKeyPair("log.example", Buffer.alloc(32, 2)).skey);
  const line = note.slice(note.indexOf("\u2014"));
  const padded = `${signNote("one\n\ntwo\n", [other])}${line}${line}`;
  t.equal(signedByThese(padded, [vkey]), note);
  t.throws(() => signedByThese(padded, []), rejected);
  t.throws(() => signedByThese(padded.replace("one", "0ne"), [vkey]), rejected);
});

t.test("what is not of the form of a note is refused", async (t) => {
  const text = "text\n";
  const line = note.slice(note.indexOf("\u2014"));
  for (const [why, bad] of [
    ["no signature", `${text}\n`],
    ["no blank line", `${text}${line}`],
    ["no final newline", `${text}\n${line.slice(0, -1)}`],
    ["a hyphen for the dash", `${text}\n${line.replace("\u2014", "-")}`],
    ["two spaces", `${text}\n${line.replace(" ", "  ")}`],
    ["a name with a plus", `${text}\n${line.replace("log.example", "log+example")}`],
    ["no base64", `${text}\n\u2014 log.example !!!!\n`],
    ["too short a signature", `${text}\n\u2014 log.example AAAA\n`],
    ["nothing for a signature", `${text}\n\u2014 log.example\n`],
    ["four words", `${text}\n${line.slice(0, -1)} x\n`],
    ["no text", `\n${line}`],
    ["a control character", `te\u0000xt\n\n${line}`],
    ["too many signatures", `${text}\n${line.repeat(101)}`],
    ["too long", `${"x".repeat(1_000_000)}\n\n${line}`],
  ] as const) {
    t.throws(() => parseNote(bad), malformed, why);
  }
  t.equal(parseNote(`${text}\n${line.repeat(100)}`).signatures.length, 100, "at least 16 are accepted");
});
