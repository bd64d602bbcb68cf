import fc from "fast-check";
import t from "tap";
import {
  encodeReceipt,
  formatTlogProof,
  noteKeyPair,
  parseReceipt,
  parseTlogProof,
  type Receipt,
  type SealedDetails,
} from "#evidence";
import { summarizeReceipt, type Verdict, verifyReceipt } from "#verify";
import { root } from "../../support/forged-timestamps.ts";
import { CLIP, SEALED_AT, sealedClip } from "../../support/sealed-clip.ts";

t.setTimeout(120_000);

const statusOf = ({ checks }: Verdict, name: string) => checks.find((check) => check.name === name)?.status;
const failures = ({ checks }: Verdict) => checks.filter(({ status }) => status === "failed").map(({ name }) => name);

const ALL = [
  "receipt-format",
  "entry",
  "inclusion-proof",
  "checkpoint-signature",
  "log-key-trusted",
  "opening",
  "manifest-format",
  "manifest",
  "timestamp-token",
  "timestamp-logged",
  "timestamp-authority-trusted",
  "timestamp-independent",
  "retention",
  "file-size",
  "file-sha256",
  "file-sm3",
  "file-chunk-root",
];

t.test("a right receipt passes every check, with and without trust and file", async (t) => {
  const { text, trust, file } = await sealedClip();
  const full = await verifyReceipt(text, { trust, file });
  t.match(full, { ok: true, clipId: CLIP });
  t.same(
    full.checks.map(({ name }) => name),
    ALL,
  );
  t.same(
    full.checks.filter(({ status }) => status !== "passed").map(({ name }) => name),
    ["timestamp-independent"],
    "whose authority it is cannot be checked from a receipt",
  );
  const bare = await verifyReceipt(text);
  t.ok(bare.ok);
  for (const name of ["log-key-trusted", "timestamp-authority-trusted", "file-size", "file-sha256"]) {
    t.equal(statusOf(bare, name), "not-checked", name);
  }
  const independent = await verifyReceipt((await sealedClip({ independent: true })).text);
  t.ok(independent.ok);
  t.match(independent.checks.find(({ name }) => name === "timestamp-independent")?.detail, /is independent of it/);
});

t.test("a receipt that passed through an editor or a JSON library is still one", async (t) => {
  const { text } = await sealedClip();
  t.ok((await verifyReceipt(JSON.stringify(JSON.parse(text), null, 4).replaceAll("\n", "\r\n"))).ok);
  t.match(text, /^\{\n( {2}"\w+": .*\n){9}\}\n$/, "as written, each member has a line of its own");
});

t.test("changing any byte of entry, proof, opening, manifest or token is noticed", async (t) => {
  const { receipt, trust, file } = await sealedClip();
  const parts = ["entry", "proof", "opening", "manifest", "timestampToken"] as const;
  const noticed = fc.assert(
    fc.asyncProperty(fc.constantFrom(...parts), fc.nat(), fc.integer({ min: 1, max: 255 }), async (part, n, mask) => {
      const bytes = Buffer.from(receipt[part]);
      bytes[n % bytes.length] = (bytes[n % bytes.length] ?? 0) ^ mask;
      const members = JSON.parse(encodeReceipt(receipt));
      members[part] = bytes.toString("base64");
      const text = JSON.stringify(members);
      for (const expectations of [{}, { trust, file }]) {
        const verdict = await verifyReceipt(text, expectations);
        if (verdict.ok) throw new Error(`${part}, byte ${n % bytes.length}, mask ${mask}: accepted`);
      }
    }),
    { numRuns: 400 },
  );
  await t.resolves(noticed);
});

t.test("each way of being wrong fails its own check, and the others are made all the same", async (t) => {
  const { receipt, trust } = await sealedClip();
  const other = await sealedClip({ at: new Date("2026-11-23T00:00:00Z") });
  const changed = (change: Partial<Receipt>) => verifyReceipt(encodeReceipt({ ...receipt, ...change }), { trust });

  t.same(failures(await changed({ timestampToken: other.receipt.timestampToken })), [
    "timestamp-token",
    "timestamp-logged",
    "timestamp-authority-trusted",
  ]);
  t.same(failures(await changed({ manifest: other.receipt.manifest })), [
    "manifest",
    "timestamp-token",
    "timestamp-authority-trusted",
  ]);
  t.same(failures(await changed({ opening: other.receipt.opening })), ["opening"]);
  t.same(failures(await changed({ entry: other.receipt.entry })), ["inclusion-proof", "opening"]);
  t.same(failures(await changed({ proof: other.receipt.proof })), ["inclusion-proof"]);
  t.same(failures(await changed({ timestampIndependent: true })), ["opening"]);
  const foreign = noteKeyPair("log.example/custody", Buffer.alloc(32, 8)).vkey;
  t.same(failures(await changed({ logKey: foreign })), ["checkpoint-signature"]);
  t.same(failures(await changed({ timestampRoots: [root().certificate.der] })), ["timestamp-token"]);
  const extra = formatTlogProof({ ...parseTlogProof(receipt.proof), extra: Buffer.from("x") });
  t.same(failures(await changed({ proof: extra })), ["inclusion-proof"]);
});

t.test("what the sealer itself got wrong is noticed", async (t) => {
  const at = SEALED_AT.toISOString();
  const retention = { mode: "COMPLIANCE", until: at } as const;
  const stored = { location: "s3://evidence", key: "k", versionId: "v", retention };
  const logged = (change: object) => ({
    details: (right: SealedDetails) => ({ ...right, timestamp: { ...right.timestamp, ...change } }),
  });
  for (const [check, wish] of [
    ["entry", { leaf: { type: "clip.received" } }],
    ["entry", { leaf: { subject: { clip: CLIP, case: CLIP } } }],
    ["entry", { leaf: { subject: { case: CLIP } } }],
    ["manifest", { leaf: { subject: { clip: CLIP.replace("2", "3") } } }],
    ["manifest", { details: (right: SealedDetails) => ({ ...right, manifestSha256: "00".repeat(32) }) }],
    ["timestamp-logged", logged({ tokenSha256: "00".repeat(32) })],
    ["timestamp-logged", logged({ genTime: "2026-11-22T00:15:00.121Z" })],
    ["opening", logged({ genTime: "now" })],
    ["opening", logged({ independent: "no" })],
    ["retention", { manifest: { stored } }],
  ] as const) {
    const verdict = await verifyReceipt((await sealedClip(wish)).text);
    t.notOk(verdict.ok);
    t.same(failures(verdict), [check], JSON.stringify(wish));
  }
});

t.test("with trust, other keys than the trusted ones fail", async (t) => {
  const { text, trust } = await sealedClip();
  const otherLog = noteKeyPair("log.example/custody", Buffer.alloc(32, 8)).vkey;
  t.same(failures(await verifyReceipt(text, { trust: { ...trust, logs: [otherLog] } })), ["log-key-trusted"]);
  t.same(failures(await verifyReceipt(text, { trust: { ...trust, logs: [] } })), ["log-key-trusted"]);
  const roots = { ...trust, timestampRoots: [root().pem] };
  t.same(failures(await verifyReceipt(text, { trust: roots })), ["timestamp-authority-trusted"]);
});

t.test("a file that differs in anything from what was sealed fails", async (t) => {
  const { text, file } = await sealedClip();
  const zeros = "00".repeat(32);
  const result = (change: object) => verifyReceipt(text, { file: { ...file, ...change } }).then(failures);
  t.same(await result({ sizeBytes: file.sizeBytes + 1 }), ["file-size"]);
  t.same(await result({ sha256: zeros }), ["file-sha256"]);
  t.same(await result({ sm3: zeros }), ["file-sm3"]);
  t.same(await result({ chunkRoot: zeros }), ["file-chunk-root"]);
});

t.test("what is no receipt fails as such, and every other check says that it was not made", async (t) => {
  for (const text of ["", "{}", "[]", "null", '"x"']) {
    const verdict = await verifyReceipt(text);
    t.same(failures(verdict), ["receipt-format"]);
    t.same(
      verdict.checks.map(({ name }) => name),
      ALL,
    );
    t.notOk("clipId" in verdict);
  }
});

t.test("a receipt has exactly its members, each once and of its form", async (t) => {
  const { text, receipt } = await sealedClip();
  t.same(parseReceipt(text), receipt);
  const replaced = (name: string, value: unknown) => JSON.stringify({ ...JSON.parse(text), [name]: value });
  const lines = text.split("\n");
  for (const [why, bad] of [
    ["a member more", replaced("note", "x")],
    ["a member less", replaced("logKey", undefined)],
    ["another type", replaced("type", "dockseal/receipt@v2")],
    ["a member twice", [...lines.slice(0, 2), lines[2], ...lines.slice(2)].join("\n")],
    ["another order", [lines[0], lines[2], lines[1], ...lines.slice(3)].join("\n")],
    ["base64 with a space", replaced("entry", ` ${receipt.entry.toString("base64")}`)],
    ["base64 without padding", replaced("entry", "AA")],
    ["a number for base64", replaced("manifest", 1)],
    ["a proof that is no UTF-8", replaced("proof", "/w==")],
    ["no key", replaced("logKey", "key")],
    ["a number for a key", replaced("logKey", 1)],
    ["no roots", replaced("timestampRoots", [])],
    ["roots that are no list", replaced("timestampRoots", "x")],
    ["roots that are no certificates", replaced("timestampRoots", ["MAA="])],
    ["independence in words", replaced("timestampIndependent", "false")],
    ["an endless one", `${" ".repeat(1_000_000)}${text}`],
  ] as const) {
    t.throws(() => parseReceipt(bad), { code: "malformed-proof" }, why);
  }
});

t.test("a receipt can be told in words", async (t) => {
  const { text, file, manifest } = await sealedClip();
  const { retention } = JSON.parse(manifest.toString()).stored;
  t.same(summarizeReceipt(text), {
    clipId: CLIP,
    ...file,
    sealedAt: SEALED_AT.toISOString(),
    timestampIndependent: false,
    storedAt: { location: "s3://evidence", key: "2026/11/22/clip", versionId: "version-1" },
    retention,
    log: { origin: "log.example/custody", index: 2, size: 5 },
  });
  t.throws(() => summarizeReceipt("{}"), { code: "malformed-proof" });
});

t.test("a fault of the caller is not reported as a fault of the receipt", async (t) => {
  const { text, trust } = await sealedClip();
  const broken = { trust: { ...trust, logs: null as unknown as string[] } };
  await t.rejects(verifyReceipt(text, broken), TypeError);
});
