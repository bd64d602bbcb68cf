import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import t from "tap";
import {
  encodeSealBundle,
  formatCheckpoint,
  noteKeyPair,
  parseSkey,
  type SealBundle,
  sealKeyFacts,
  signDigest,
  signNote,
} from "#evidence";
import { type Verdict, verifySealBundle } from "#verify";
import { root } from "../../support/forged-timestamps.ts";
import { sealBundle } from "../../support/seal-bundle.ts";

const failures = ({ checks }: Verdict) => checks.filter(({ status }) => status === "failed").map(({ name }) => name);
const skipped = ({ checks }: Verdict) =>
  checks.filter(({ status }) => status === "not-checked").map(({ name }) => name);

const ALL = [
  "bundle-format",
  "log-entry",
  "key-hint",
  "signature",
  "seal-key-trusted",
  "inclusion-proof",
  "log-key-trusted",
  "timestamp-token",
  "file-sha256",
];
const strangerKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const stranger = sealKeyFacts(strangerKey).publicPem;

t.test("a right bundle passes every check, and says which were not made without trust and file", async (t) => {
  const { bundle, text, trust } = await sealBundle();
  const file = { sha256: bundle.sha256.toString("hex") };
  const full = verifySealBundle(text, { trust, file });
  t.same(
    full.checks.map(({ name, status }) => [name, status]),
    ALL.map((name) => [name, "passed"]),
  );
  t.ok(full.ok);
  const bare = verifySealBundle(text);
  t.ok(bare.ok);
  t.same(skipped(bare), ["seal-key-trusted", "log-key-trusted", "timestamp-token", "file-sha256"]);
  const { sealKeys: _, ...older } = trust;
  t.same(skipped(verifySealBundle(text, { trust: older, file })), ["seal-key-trusted"], "trust without seal keys");
});

t.test("each way of being wrong fails its own check, and the others are made all the same", async (t) => {
  const { bundle, trust } = await sealBundle();
  const other = (await sealBundle()).bundle;
  const changed = (change: Partial<SealBundle>) =>
    failures(verifySealBundle(encodeSealBundle({ ...bundle, ...change }), { trust }));
  t.same(changed({}), []);
  t.same(changed({ sha256: Buffer.alloc(32) }), ["log-entry"]);
  t.same(changed({ signature: other.signature }), ["log-entry", "timestamp-token"]);
  t.same(changed({ keyHint: other.keyHint }), ["key-hint"]);
  t.same(changed({ timestampToken: other.timestampToken }), ["timestamp-token"]);
  t.same(changed({ index: 1 }), ["inclusion-proof"]);
  t.same(changed({ treeSize: 6 }), ["inclusion-proof"]);
  t.same(changed({ root: Buffer.alloc(32) }), ["inclusion-proof"]);
  t.same(changed({ hashes: bundle.hashes.slice(1) }), ["inclusion-proof"]);
  t.same(changed({ logId: Buffer.alloc(32) }), ["log-key-trusted"]);
  t.same(changed({ entry: Buffer.from("{}") }), ["log-entry", "inclusion-proof"]);
  t.same(changed({ entry: other.entry }), ["log-entry", "inclusion-proof"]);
  t.same(changed({ checkpoint: "no note" }), ["inclusion-proof", "log-key-trusted"]);
  const impostor = parseSkey(noteKeyPair("log.example/custody", Buffer.alloc(32, 8)).skey);
  const head = { origin: impostor.name, size: bundle.treeSize, root: bundle.root, extensions: [] };
  t.same(changed({ checkpoint: signNote(formatCheckpoint(head), [impostor]) }), ["log-key-trusted"]);
});

t.test("what the sealer itself got wrong is noticed", async (t) => {
  const zeros = "00".repeat(32);
  const signed = await sealBundle({ record: (right) => ({ ...right, sha256: zeros }) });
  t.same(failures(verifySealBundle(signed.text, signed)), ["log-entry"]);
  const foreign = await sealBundle({ record: (right) => ({ ...right, publicPem: stranger }) });
  t.same(failures(verifySealBundle(foreign.text, foreign)), ["key-hint"]);
  const keyHint = sealKeyFacts(strangerKey).hint;
  const named = encodeSealBundle({ ...foreign.bundle, keyHint });
  t.same(failures(verifySealBundle(named, foreign)), ["signature", "seal-key-trusted"]);
  const { bundle } = await sealBundle();
  const wrong = signDigest(Buffer.alloc(32), strangerKey);
  t.notOk(verifySealBundle(encodeSealBundle({ ...bundle, signature: wrong })).ok);
});

t.test("other keys than the trusted ones, and another file, fail", async (t) => {
  const { text, trust } = await sealBundle();
  const otherLog = noteKeyPair("log.example/custody", Buffer.alloc(32, 8)).vkey;
  const against = (change: object) => failures(verifySealBundle(text, { trust: { ...trust, ...change } }));
  t.same(against({ logs: [otherLog] }), ["log-key-trusted"]);
  t.same(against({ logs: [] }), ["log-key-trusted"]);
  t.same(against({ logs: [otherLog, ...trust.logs] }), []);
  t.same(against({ timestampRoots: [root().pem] }), ["timestamp-token"]);
  t.same(against({ sealKeys: [stranger] }), ["seal-key-trusted"]);
  t.same(against({ sealKeys: [] }), ["seal-key-trusted"]);
  t.same(against({ sealKeys: [stranger, ...trust.sealKeys] }), []);
  t.same(failures(verifySealBundle(text, { trust, file: { sha256: "00".repeat(32) } })), ["file-sha256"]);
});

t.test("changing any byte of a part of the bundle is noticed", async (t) => {
  const { bundle, trust } = await sealBundle();
  const file = { sha256: bundle.sha256.toString("hex") };
  const parts = ["sha256", "signature", "timestampToken", "entry", "logId", "root"] as const;
  fc.assert(
    fc.property(fc.constantFrom(...parts), fc.nat(), fc.integer({ min: 1, max: 255 }), (part, n, mask) => {
      const bytes = Buffer.from(bundle[part]);
      bytes[n % bytes.length] = (bytes[n % bytes.length] ?? 0) ^ mask;
      return !verifySealBundle(encodeSealBundle({ ...bundle, [part]: bytes }), { trust, file }).ok;
    }),
    { numRuns: 200 },
  );
  t.pass();
});

t.test("what is no bundle fails as such, and every other check says that it was not made", async (t) => {
  const { trust, bundle } = await sealBundle();
  for (const text of ["", "{}", "null"]) {
    const verdict = verifySealBundle(text, { trust, file: { sha256: bundle.sha256.toString("hex") } });
    t.same(failures(verdict), ["bundle-format"]);
    t.same(skipped(verdict), ALL.slice(1));
  }
});

t.test("a fault of the caller is not reported as a fault of the bundle", async (t) => {
  const { text, trust } = await sealBundle();
  t.throws(() => verifySealBundle(text, { trust: { ...trust, logs: null as unknown as string[] } }), TypeError);
});
