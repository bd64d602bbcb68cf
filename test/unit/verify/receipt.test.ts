import fc from "fast-check";
import t from "tap";
import {
  cosign,
  createTimestampAuthority,
  encodeReceipt,
  formatTlogProof,
  type NoteSigner,
  noteKeyPair,
  parseCertificate,
  parseNote,
  parseReceipt,
  parseSkey,
  parseTlogProof,
  type Receipt,
  type SealedDetails,
} from "#evidence";
import { type ReceiptExpectations, summarizeReceipt, type Verdict, verifyReceipt } from "#verify";
import { root } from "../../support/forged-timestamps.ts";
import { CLIP, SEALED_AT, sealedClip } from "../../support/sealed-clip.ts";
import { stamped } from "../../support/stamped.ts";

const statusOf = ({ checks }: Verdict, name: string) => checks.find((check) => check.name === name)?.status;
const failures = ({ checks }: Verdict) => checks.filter(({ status }) => status === "failed").map(({ name }) => name);

const ALL = [
  "receipt-format",
  "entry",
  "inclusion-proof",
  "checkpoint-signature",
  "log-key-trusted",
  "checkpoint-witnessed",
  "opening",
  "manifest-format",
  "manifest",
  "timestamp-token",
  "timestamp-logged",
  "timestamp-authority-trusted",
  "timestamp-renewals",
  "timestamp-current",
  "timestamp-independent",
  "retention",
  "file-size",
  "file-sha256",
  "file-sm3",
  "file-chunk-root",
];

t.test("a right receipt passes every check, with and without trust and file", async (t) => {
  const { text, trust, file } = await sealedClip();
  const full = await verifyReceipt(text, { trust, file, now: SEALED_AT });
  t.match(full, { ok: true, clipId: CLIP });
  t.same(
    full.checks.map(({ name }) => name),
    ALL,
  );
  t.same(
    full.checks.filter(({ status }) => status !== "passed").map(({ name }) => name),
    ["checkpoint-witnessed", "timestamp-renewals", "timestamp-independent"],
    "no witness is wanted here, no renewal is there; whose authority it is cannot be checked from a receipt",
  );
  const bare = await verifyReceipt(text);
  t.ok(bare.ok);
  for (const name of [
    "log-key-trusted",
    "checkpoint-witnessed",
    "timestamp-authority-trusted",
    "timestamp-current",
    "file-size",
    "file-sha256",
  ]) {
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

t.test("a receipt is witnessed once as many trusted witnesses cosigned as the trust file wants", async (t) => {
  const { receipt, trust } = await sealedClip();
  const [bureau, court, stranger] = ["bureau.example", "court.example", "stranger.example"].map((name, at) =>
    parseSkey(noteKeyPair(name, Buffer.alloc(32, at + 1), "cosignature").skey),
  ) as [NoteSigner, NoteSigner, NoteSigner];
  const wanted = (threshold: number) => ({ ...trust, witnesses: { threshold, keys: [bureau.vkey, court.vkey] } });
  const { checkpoint, ...proof } = parseTlogProof(receipt.proof);
  const { text } = parseNote(checkpoint);
  const cosigned = (...lines: string[]): string =>
    encodeReceipt({ ...receipt, proof: formatTlogProof({ ...proof, checkpoint: checkpoint + lines.join("") }) });
  const line = (signer: NoteSigner): string => cosign(text, signer, 1_800_000_000);
  const both = await verifyReceipt(cosigned(line(bureau), line(court)), { trust: wanted(2) });
  t.equal(statusOf(both, "checkpoint-witnessed"), "passed");
  t.ok(both.ok);
  const one = cosigned(line(bureau), line(stranger));
  t.equal(statusOf(await verifyReceipt(one, { trust: wanted(1) }), "checkpoint-witnessed"), "passed");
  const tooFew = await verifyReceipt(one, { trust: wanted(2) });
  t.same(failures(tooFew), ["checkpoint-witnessed"]);
  t.match(
    tooFew.checks.find(({ name }) => name === "checkpoint-witnessed")?.detail,
    "1 of 2 trusted witnesses cosigned, 2 are wanted",
  );
  t.same(failures(await verifyReceipt(cosigned(), { trust: wanted(1) })), ["checkpoint-witnessed"]);
  const forged = cosigned(line(bureau), cosign(text.replace("\n5\n", "\n6\n"), court, 1_800_000_000));
  t.same(
    failures(await verifyReceipt(forged, { trust: wanted(1) })),
    ["checkpoint-witnessed"],
    "a wrong line spoils it",
  );
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
    ["renewals that are none", replaced("timestampRenewals", [])],
    ["renewals that are no list", replaced("timestampRenewals", "AA==")],
    ["a renewal that is no base64", replaced("timestampRenewals", ["AA"])],
    ["an endless one", `${" ".repeat(1_000_000)}${text}`],
  ] as const) {
    t.throws(() => parseReceipt(bad), { code: "malformed-proof" }, why);
  }
});

t.test("renewals prolong a timestamp, when each is over the one before and came in time", async (t) => {
  const at = (years: number): Date => new Date(SEALED_AT.getTime() + years * 365.25 * 86_400_000);
  const first = createTimestampAuthority({ name: "first", now: SEALED_AT, years: 5 });
  const second = createTimestampAuthority({ name: "second", now: at(4), years: 5 });
  const { receipt, trust } = await sealedClip({ keys: first });
  const timestampRoots = [first, second].map(({ rootPem }) => parseCertificate(rootPem).der);
  const check = (renewals: Buffer[], options: ReceiptExpectations) => {
    const { timestampRenewals: none, ...rest } = receipt;
    t.equal(none, undefined);
    const list = renewals.length === 0 ? {} : { timestampRenewals: renewals };
    return verifyReceipt(encodeReceipt({ ...rest, timestampRoots, ...list }), options);
  };
  const both = { ...trust, timestampRoots: [first.rootPem, second.rootPem] };
  const detail = ({ checks }: Verdict, name: string) => checks.find((one) => one.name === name)?.detail;

  const late = await check([], { trust: both, now: at(6) });
  t.same(failures(late), ["timestamp-current"], "its certificate ended, and it was not renewed");
  t.match(detail(late, "timestamp-current"), /ended at 2031-11-22T00:15:00.000Z: ask/);
  t.match(detail(await check([], {}), "timestamp-current"), /ends at 2031-11-22T00:15:00.000Z; what time it is/);
  const early = await check([], { now: new Date(SEALED_AT.getTime() - 5 * 60_000 - 1) });
  t.same(failures(early), ["timestamp-current"], "a time that is still to come");
  t.ok((await check([], { now: new Date(SEALED_AT.getTime() - 5 * 60_000) })).ok, "clocks may differ a little");

  const renewal = await stamped(second, at(4.5), receipt.timestampToken);
  const good = await check([renewal], { trust: both, now: at(6) });
  t.ok(good.ok);
  t.equal(statusOf(good, "timestamp-renewals"), "passed");
  t.match(detail(good, "timestamp-current"), /valid until 2035-11-22/);
  t.ok((await check([await stamped(second, at(4.5), receipt.timestampToken, "sm3")], { now: at(6) })).ok, "over SM3");
  const text = encodeReceipt({ ...receipt, timestampRoots, timestampRenewals: [renewal] });
  t.same(parseReceipt(text), { ...receipt, timestampRoots, timestampRenewals: [renewal] });
  t.match(text, /^\{\n( {2}"\w+": .*\n){10}\}\n$/);

  const twice = await stamped(second, at(5), renewal);
  const changed = Buffer.from(renewal);
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  t.ok((await check([renewal, twice], { now: at(6) })).ok);
  for (const [why, wrong] of [
    ["in another order", [twice, renewal]],
    ["one is missing", [twice]],
    ["over the manifest again", [await stamped(second, at(4.5), receipt.manifest)]],
    ["after the certificate had ended", [await stamped(second, at(5.5), receipt.timestampToken)]],
    ["before the one that it renews", [renewal, await stamped(first, at(1), renewal)]],
    ["a changed byte", [changed]],
  ] as const) {
    const verdict = await check([...wrong], { trust: both, now: at(6) });
    t.same(failures(verdict), ["timestamp-authority-trusted", "timestamp-renewals"], why);
    t.equal(statusOf(verdict, "timestamp-current"), "not-checked", why);
  }
  const trusted = await check([renewal], { trust: { ...trust, timestampRoots: [first.rootPem] }, now: at(6) });
  t.same(failures(trusted), ["timestamp-authority-trusted"], "each authority of the chain has to be trusted");
});

t.test("a receipt over SM3 passes, and not with another manifest", async (t) => {
  const { receipt, text, trust, file } = await sealedClip({ imprint: "sm3" });
  t.ok((await verifyReceipt(text, { trust, file, now: SEALED_AT })).ok);
  const manifest = (await sealedClip({ at: new Date("2026-11-22T00:16:00.120Z") })).receipt.manifest;
  const verdict = await verifyReceipt(encodeReceipt({ ...receipt, manifest }), { trust });
  t.same(failures(verdict), ["manifest", "timestamp-token", "timestamp-authority-trusted"]);
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
