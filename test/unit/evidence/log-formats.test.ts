import t from "tap";
import {
  type Checkpoint,
  commit,
  encodeLeaf,
  encodeOpening,
  formatCheckpoint,
  formatTlogProof,
  inclusionProof,
  leafHash,
  noteKeyPair,
  openCheckpoint,
  openingMatches,
  parseCheckpoint,
  parseLeaf,
  parseOpening,
  parseSkey,
  parseTlogProof,
  rootOf,
  signCheckpoint,
  verifyTlogProof,
} from "#evidence";

const malformed = { code: "malformed-proof" };
const rejected = { code: "proof-rejected" };
const log = parseSkey(noteKeyPair("log.example/custody", Buffer.alloc(32, 1)).skey);
const witness = parseSkey(noteKeyPair("witness.example", Buffer.alloc(32, 2)).skey);
const checkpoint: Checkpoint = { origin: log.name, size: 3, root: Buffer.alloc(32, 9), extensions: [] };

t.test("a checkpoint is exactly the lines of C2SP tlog-checkpoint", async (t) => {
  const root = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";
  t.equal(formatCheckpoint(checkpoint), `log.example/custody\n3\n${root}\n`);
  const extended = { ...checkpoint, size: 0, extensions: ["one", "two"] };
  t.same(parseCheckpoint(formatCheckpoint(extended)), extended, "extension lines are kept");
  for (const [why, bad] of [
    ["leading zero", `log\n03\n${root}\n`],
    ["sign", `log\n+3\n${root}\n`],
    ["beyond 2^53", `log\n9007199254740993\n${root}\n`],
    ["hexadecimal", `log\n0x3\n${root}\n`],
    ["two lines", "log\n3\n"],
    ["one line", "log\n"],
    ["no origin", `\n3\n${root}\n`],
    ["empty extension line", `log\n3\n${root}\n\n`],
    ["no newline", `log\n3\n${root}`],
    ["short root", "log\n3\nAAAA\n"],
    ["base64 with stray bits", `log\n3\n${root.replace("CQk=", "CQl=")}\n`],
  ] as const) {
    t.throws(() => parseCheckpoint(bad), malformed, why);
  }
  t.throws(() => formatCheckpoint({ ...checkpoint, root: Buffer.alloc(31) }), malformed);
  t.throws(() => formatCheckpoint({ ...checkpoint, size: -1 }), malformed);
  t.throws(() => formatCheckpoint({ ...checkpoint, origin: "two\nlines" }), malformed);
});

t.test("a checkpoint counts only with the signature of the log that it names", async (t) => {
  const note = signCheckpoint(checkpoint, [log, witness]);
  const verifiedBy = [log.name, witness.name];
  t.same(openCheckpoint(note, [witness.vkey, log.vkey], log.name), { ...checkpoint, verifiedBy, cosignedBy: [] });
  t.same(openCheckpoint(note, [log.vkey]).verifiedBy, [log.name]);
  t.throws(() => openCheckpoint(note, [witness.vkey]), rejected, "a witness alone does not do");
  t.throws(() => openCheckpoint(note, [log.vkey], "other.example"), rejected, "another log was asked for");
});

t.test("a proof is exactly the text of C2SP tlog-proof, and leads from the entry to the key", async (t) => {
  const entries = ["a", "b", "c"].map((text) => Buffer.from(text));
  const leaves = entries.map((entry) => leafHash(entry));
  const note = signCheckpoint({ ...checkpoint, root: rootOf(leaves) }, [log]);
  const hashes = await inclusionProof(1, 3, async () => Buffer.concat(leaves));
  const text = formatTlogProof({ index: 1, hashes, checkpoint: note });
  const lines = hashes.map((hash) => `${hash.toString("base64")}\n`).join("");
  t.equal(text, `c2sp.org/tlog-proof@v1\nindex 1\n${lines}\n${note}`);
  t.match(verifyTlogProof(text, Buffer.from("b"), [log.vkey]), { index: 1, checkpoint: { size: 3 } });
  t.throws(() => verifyTlogProof(text, Buffer.from("c"), [log.vkey]), rejected);
  t.throws(() => verifyTlogProof(text, Buffer.from("b"), [witness.vkey]), rejected);
  t.throws(() => verifyTlogProof(text, Buffer.from("b"), [log.vkey], "other.example"), rejected);

  const alone = { index: 0, hashes: [], checkpoint: note, extra: Buffer.from("more") };
  t.same(parseTlogProof(formatTlogProof(alone)), alone, "extra data is kept");
  const head = "c2sp.org/tlog-proof@v1";
  for (const [why, bad] of [
    ["another version", text.replace("@v1", "@v2")],
    ["no index", `${head}\n\n${note}`],
    ["extra after index", `${head}\nindex 0\nextra AAAA\n\n${note}`],
    ["leading zero", text.replace("index 1", "index 01")],
    ["no empty line", head],
    ["a hash that is too short", `${head}\nindex 0\nAAAA\n\n${note}`],
    ["more hashes than a tree has levels", `${head}\nindex 0\n${lines.repeat(30)}\n${note}`],
  ] as const) {
    t.throws(() => parseTlogProof(bad), malformed, why);
  }
});

t.test("an entry has one encoding, and says nothing beyond its members", async (t) => {
  const leaf = {
    v: 1,
    id: "0192f1a0-0000-7000-8000-000000000001",
    type: "clip.sealed",
    at: "2026-11-22T00:15:00.123Z",
    subject: { clip: "0192f1a0-0000-7000-8000-000000000002" },
    commitment: "ab".repeat(32),
  } as const;
  const bytes = encodeLeaf(leaf);
  t.equal(
    bytes.toString(),
    `{"at":"2026-11-22T00:15:00.123Z","commitment":"${"ab".repeat(32)}","id":"0192f1a0-0000-7000-8000-000000000001",` +
      `"subject":{"clip":"0192f1a0-0000-7000-8000-000000000002"},"type":"clip.sealed","v":1}`,
  );
  t.same(parseLeaf(bytes), leaf);
  const two = { ...leaf, subject: { case: leaf.id, clip: leaf.id } };
  t.same(parseLeaf(encodeLeaf(two)), two);
  const text = bytes.toString();
  for (const [why, bad] of [
    ["white space", text.replace(",", ", ")],
    ["a byte more", `${text}\n`],
    ["a byte order mark", `\ufeff${text}`],
    ["another order", text.replace(/("at":"[^"]*"),("commitment":"[^"]*")/, "$2,$1")],
    ["a member twice", text.replace('"v":1', '"v":1,"v":1')],
    ["a member more", text.replace('"v":1', '"v":1,"w":1')],
    ["a member less", text.replace(',"v":1', "")],
    ["another version", text.replace('"v":1', '"v":2')],
    ["a version in other words", text.replace('"v":1', '"v":1.0')],
    ["an upper-case UUID", text.replace("0192f1a0", "0192F1A0")],
    ["no type with a dot", text.replace("clip.sealed", "sealed")],
    ["no milliseconds", text.replace(".123Z", "Z")],
    ["a day that is none", text.replace("2026-11-22", "2026-02-30")],
    ["an hour that is none", text.replace("T00:15", "T25:15")],
    ["another zone", text.replace("Z", "+00:00")],
    ["no subject", text.replace(/"subject":\{[^}]*\}/, '"subject":{}')],
    ["a list for a subject", text.replace(/"subject":\{[^}]*\}/, '"subject":[]')],
    ["a subject without kind", text.replace('"clip"', '""')],
    ["a subject that is no UUID", text.replace("000000000002", "x")],
    ["a short commitment", text.replace("abab", "")],
    ["no object", "[]"],
    ["null", "null"],
    ["no JSON", "{"],
    ["a lone surrogate", text.replace("clip.sealed", "\\ud800")],
  ] as const) {
    t.throws(() => parseLeaf(Buffer.from(bad)), malformed, why);
  }
  t.throws(() => parseLeaf(Buffer.of(0x7b, 0xff, 0x7d)), malformed, "no UTF-8");
  t.throws(() => encodeLeaf({ ...leaf, type: "Clip" }), malformed, "what would not parse is not written");
});

t.test("a commitment hides the details and opens to nothing else", async (t) => {
  const salt = "5a".repeat(32);
  const details = { station: "S-1", size: 3, nested: [true, null] };
  const commitment = commit(details, salt);
  t.match(commitment, /^[0-9a-f]{64}$/);
  t.ok(openingMatches({ commitment }, { details, salt }));
  t.notOk(openingMatches({ commitment }, { details: { ...details, size: 4 }, salt }));
  t.notOk(openingMatches({ commitment }, { details, salt: "5b".repeat(32) }));
  const bytes = encodeOpening({ details, salt });
  t.equal(bytes.toString(), `{"details":{"nested":[true,null],"size":3,"station":"S-1"},"salt":"${salt}"}`);
  t.same(parseOpening(bytes), { details, salt });
  t.throws(() => commit(details, "short"), malformed);
  t.throws(() => parseOpening(Buffer.from(bytes.toString().replace("{", "{ "))), malformed);
  t.throws(() => parseOpening(Buffer.from('{"details":1}')), malformed);
});
