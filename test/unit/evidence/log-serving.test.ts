import { createPublicKey, generateKeyPairSync } from "node:crypto";
import t from "tap";
import {
  ctLogId,
  encodeEntryBundle,
  parseEntryBundle,
  parseTilePath,
  signTreeHead,
  tileIndexPath,
  tilePath,
  tileWidthAt,
  treeHeadSignatureHolds,
} from "#evidence";

t.test("a tile has exactly one address", async (t) => {
  t.equal(tileIndexPath(1234067), "x001/x234/067", "the example of C2SP tlog-tiles");
  for (const [path, name] of [
    ["0/000", { level: 0, index: 0, width: 256 }],
    ["0/x001/x234/067", { level: 0, index: 1234067, width: 256 }],
    ["63/999.p/1", { level: 63, index: 999, width: 1 }],
    ["2/x001/000.p/255", { level: 2, index: 1000, width: 255 }],
    ["entries/x273/112.p/17", { level: undefined, index: 273112, width: 17 }],
  ] as const) {
    t.same(parseTilePath(path), name, path);
    t.equal(tilePath(name), path);
  }
  for (const bad of [
    "0/0",
    "0/0000",
    "00/000",
    "64/000",
    "-1/000",
    "0/x000/000",
    "0/001/000",
    "0/x1/000",
    "0/000.p/0",
    "0/000.p/256",
    "0/000.p/01",
    "0/000.p/",
    "0/000/",
    "/0/000",
    "0/x999/x999/x999/x999/x999/999",
    "entry/000",
    "0/../000",
    "",
  ]) {
    t.equal(parseTilePath(bad), undefined, bad);
  }
});

t.test("a tree of 70,000 has the tiles that C2SP tlog-tiles counts out", async (t) => {
  const width = (level: number, index: number) => tileWidthAt(70_000, { level, index });
  t.equal(width(0, 272), 256, "273 full tiles on level 0");
  t.equal(width(0, 273), 112);
  t.equal(width(0, 274), 0);
  t.equal(width(1, 0), 256);
  t.equal(width(1, 1), 17);
  t.equal(width(1, 2), 0);
  t.equal(width(2, 0), 1);
  t.equal(width(2, 1), 0);
  t.equal(width(3, 0), 0);
  t.equal(tileWidthAt(256, { level: 1, index: 0 }), 1);
  t.equal(tileWidthAt(70_000, { level: undefined, index: 273 }), 112, "an entry bundle is as wide as its tile");
});

t.test("an entry bundle is each entry after its length", async (t) => {
  const entries = [Buffer.from("a"), Buffer.alloc(0), Buffer.alloc(65_535, 7)];
  const bundle = encodeEntryBundle(entries);
  t.equal(bundle.subarray(0, 5).toString("hex"), "0001610000");
  t.same(parseEntryBundle(bundle), entries);
  t.same(parseEntryBundle(encodeEntryBundle([])), []);
  t.throws(() => encodeEntryBundle([Buffer.alloc(65_536)]), { code: "malformed-proof" });
  t.throws(() => parseEntryBundle(bundle.subarray(0, -1)), { code: "malformed-proof" }, "cut inside an entry");
  t.throws(() => parseEntryBundle(Buffer.from("00", "hex")), { code: "malformed-proof" }, "cut inside a length");
});

t.test("a tree head is signed as RFC 6962 §3.5 has it, and for that head and key alone", async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
  const head = { timestamp: 1_795_000_000_123, size: 70_000, root: Buffer.alloc(32, 5) };
  const signed = signTreeHead(head, privateKey);
  t.equal(signed.subarray(0, 2).toString("hex"), "0403", "SHA-256 with ECDSA");
  t.equal(signed.readUInt16BE(2), signed.length - 4);
  t.equal(treeHeadSignatureHolds(head, signed, publicKey), true);
  for (const [why, changed] of [
    ["time", { ...head, timestamp: head.timestamp + 1 }],
    ["size", { ...head, size: head.size + 1 }],
    ["root", { ...head, root: Buffer.alloc(32, 6) }],
  ] as const) {
    t.equal(treeHeadSignatureHolds(changed, signed, publicKey), false, why);
  }
  t.equal(treeHeadSignatureHolds(head, signed, other), false, "another key");
  t.equal(treeHeadSignatureHolds(head, Buffer.from([2, 3, ...signed.subarray(2)]), publicKey), false, "algorithm");
  t.equal(treeHeadSignatureHolds(head, Buffer.concat([signed, Buffer.of(0)]), publicKey), false, "a byte more");
  t.equal(treeHeadSignatureHolds(head, signed.subarray(0, 3), publicKey), false, "cut");
  t.throws(() => signTreeHead({ ...head, root: Buffer.alloc(31) }, privateKey), { code: "malformed-proof" });
  t.same(ctLogId(privateKey), ctLogId(createPublicKey(privateKey)), "the id is of the public key");
});
