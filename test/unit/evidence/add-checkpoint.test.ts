import t from "tap";
import {
  cosign,
  cosignatureIn,
  formatAddCheckpoint,
  noteKeyPair,
  openCheckpoint,
  openNote,
  parseAddCheckpoint,
  parseNote,
  parseSkey,
  parseTlogSize,
  signCheckpoint,
} from "#evidence";

const malformed = { code: "malformed-proof" };
const rejected = { code: "proof-rejected" };
const log = parseSkey(noteKeyPair("log.example/custody", Buffer.alloc(32, 1)).skey);
const witness = parseSkey(noteKeyPair("bureau.example/w1", Buffer.alloc(32, 2), "cosignature").skey);
const other = parseSkey(noteKeyPair("court.example/w1", Buffer.alloc(32, 3), "cosignature").skey);
const checkpoint = signCheckpoint({ origin: log.name, size: 41, root: Buffer.alloc(32, 9), extensions: [] }, [log]);
const { text } = parseNote(checkpoint);
const hash = Buffer.alloc(32, 7);
const line = `${hash.toString("base64")}\n`;

t.test("a request is exactly the lines of C2SP tlog-witness", async (t) => {
  const body = formatAddCheckpoint({ oldSize: 40, proof: [hash, hash], checkpoint });
  t.equal(body, `old 40\n${line}${line}\n${checkpoint}`);
  t.same(parseAddCheckpoint(Buffer.from(body)), { oldSize: 40, proof: [hash, hash], checkpoint });
  const first = { oldSize: 0, proof: [], checkpoint };
  t.equal(formatAddCheckpoint(first), `old 0\n\n${checkpoint}`);
  t.same(parseAddCheckpoint(Buffer.from(formatAddCheckpoint(first))), first);
  t.equal(parseAddCheckpoint(Buffer.from(`old 1\n${line.repeat(63)}\n${checkpoint}`)).proof.length, 63);
  const spaced = `log\n1\n${hash.toString("base64")}\n`;
  t.throws(() => parseAddCheckpoint(Buffer.from(`old 1\n\n${spaced}`)), malformed, "no signatures");
  for (const [why, bad] of [
    ["nothing", ""],
    ["no empty line", `old 40\n${checkpoint.replace("\n\n", "\n")}`],
    ["no old size", `${line}\n${checkpoint}`],
    ["an old size without a word", `40\n\n${checkpoint}`],
    ["two spaces", `old  40\n\n${checkpoint}`],
    ["a leading zero", `old 040\n\n${checkpoint}`],
    ["a sign", `old -1\n\n${checkpoint}`],
    ["a carriage return", `old 40\r\n\n${checkpoint}`],
    ["beyond 2^53", `old 9007199254740993\n\n${checkpoint}`],
    ["64 hashes", `old 40\n${line.repeat(64)}\n${checkpoint}`],
    ["a hash of 31 bytes", `old 40\n${Buffer.alloc(31).toString("base64")}\n\n${checkpoint}`],
    ["a hash that is no base64", `old 40\n!${line}\n${checkpoint}`],
    ["no checkpoint", `old 40\n\n${checkpoint.replace("\n41\n", "\n")}`],
    ["something before", ` old 40\n\n${checkpoint}`],
  ] as const) {
    t.throws(() => parseAddCheckpoint(Buffer.from(bad)), malformed, why);
  }
  t.throws(
    () => parseAddCheckpoint(Buffer.concat([Buffer.from("old 40\n\n"), Buffer.of(0xff)])),
    malformed,
    "no UTF-8",
  );
  t.throws(() => formatAddCheckpoint({ oldSize: -1, proof: [], checkpoint }), malformed);
  t.throws(() => formatAddCheckpoint({ oldSize: 1, proof: [Buffer.alloc(31)], checkpoint }), malformed);
});

t.test("of an answer, the line of the witness that was asked is taken, once it holds", async (t) => {
  const mine = cosign(text, witness, 100);
  const read = (answer: string, vkey = witness.vkey): string => cosignatureIn(Buffer.from(answer), text, vkey);
  t.equal(read(mine), mine);
  t.equal(read(`${cosign(text, other, 100)}${mine}`), mine, "others are ignored");
  t.equal(read(`${cosign(text, witness, 99)}${mine}`), mine, "of two the last");
  const kept = openCheckpoint(`${checkpoint}${read(mine)}`, [log.vkey, witness.vkey]);
  t.match(kept.cosignedBy, [{ name: witness.name, time: 100 }]);
  t.throws(() => read(mine, other.vkey), rejected, "none by this key");
  const elsewhere = cosign(text.replace("\n41\n", "\n42\n"), witness, 100);
  t.throws(() => read(elsewhere), rejected, "of another checkpoint");
  t.throws(() => read(`${elsewhere}${mine}`), rejected, "a right one does not make up for a wrong one");
  for (const bad of ["", mine.slice(0, -1), "41\n", `x\n\n${mine}`.slice(0, 2), "<html></html>\n"]) {
    t.throws(() => read(bad), malformed, JSON.stringify(bad));
  }
  t.throws(() => cosignatureIn(Buffer.of(0xff), text, witness.vkey), malformed);
  const longer = `${text}\nmore\n`;
  const moved = `more\n\n${cosign(longer, witness, 100)}`;
  t.ok(openNote(`${text}\n${moved}`, [witness.vkey]), "it is a note with a cosignature that holds");
  t.throws(() => read(moved), malformed, "but of a text that the witness made longer");
});

t.test("a size is one decimal line", async (t) => {
  t.equal(parseTlogSize("20852014\n"), 20852014);
  t.equal(parseTlogSize("0\n"), 0);
  for (const bad of ["", "1", "01\n", "1\n\n", " 1\n", "-1\n", "1e3\n", "9007199254740993\n"]) {
    t.throws(() => parseTlogSize(bad), malformed, JSON.stringify(bad));
  }
});
