import { createHash, generateKeyPairSync, randomBytes, sign, verify } from "node:crypto";
import fc from "fast-check";
import t from "tap";
import {
  digestSignatureHolds,
  encodeHashedRekord,
  encodeLeaf,
  encodeSealBundle,
  encodeTrustedRoot,
  logIdOf,
  noteKeyPair,
  parseCertificate,
  parseHashedRekord,
  parseLogEntry,
  parseSealBundle,
  parseSealKey,
  parseVkey,
  sealKeyFacts,
  signDigest,
  timestampChain,
} from "#evidence";
import { canonicalBytes } from "#kernel";
import { derInteger, derSequence, derUtf8 } from "../../../src/evidence/timestamp/der.ts";
import { NOW, party, root, token } from "../../support/forged-timestamps.ts";
import { ORIGINAL, sealBundle } from "../../support/seal-bundle.ts";

const malformed = { name: "DocksealError", code: "malformed-proof" };
const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
const pem = (key: { export(options: { format: "pem"; type: "spki" }): string | Buffer }): string =>
  key.export({ format: "pem", type: "spki" }).toString();

t.test("a signature over a digest is the signature over the bytes, both ways", async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const ours = signDigest(sha256(bytes), privateKey);
      const theirs = sign("sha256", bytes, privateKey);
      const changed = Buffer.concat([bytes, Buffer.of(0)]);
      return (
        verify("sha256", bytes, publicKey, ours) &&
        digestSignatureHolds(sha256(bytes), theirs, publicKey) &&
        !digestSignatureHolds(sha256(changed), theirs, publicKey) &&
        !digestSignatureHolds(sha256(bytes), theirs, stranger)
      );
    }),
    { numRuns: 30 },
  );
  t.same(signDigest(sha256(ORIGINAL), privateKey), signDigest(sha256(ORIGINAL), privateKey), "the same each time");
  const signature = signDigest(sha256(ORIGINAL), privateKey);
  for (let at = 0; at < signature.length; at += 1) {
    const changed = Buffer.from(signature);
    changed[at] = (changed[at] ?? 0) ^ 1;
    t.notOk(digestSignatureHolds(sha256(ORIGINAL), changed, publicKey), `byte ${at} changed`);
  }
  t.notOk(digestSignatureHolds(sha256(ORIGINAL), Buffer.of(), publicKey), "no signature at all");
  t.notOk(digestSignatureHolds(sha256(ORIGINAL), Buffer.concat([signature, Buffer.of(0)]), publicKey), "a byte more");
});

t.test("a seal key is a public key on P-256, named by its digest", async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const facts = sealKeyFacts(privateKey);
  t.equal(facts.publicPem, pem(publicKey));
  t.equal(facts.hint, sha256(publicKey.export({ format: "der", type: "spki" })).toString("base64"));
  t.match(parseSealKey(facts.publicPem), facts);
  t.throws(() => signDigest(sha256(ORIGINAL), publicKey), malformed, "a public key signs nothing");
  for (const [why, bad] of [
    ["another curve", pem(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey)],
    ["another kind of key", pem(generateKeyPairSync("ed25519").publicKey)],
    ["the private key", privateKey.export({ format: "pem", type: "pkcs8" }).toString()],
    ["no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"],
    ["nothing", ""],
  ] as const) {
    t.throws(() => parseSealKey(bad), malformed, why);
  }
});

t.test("an entry in Sigstore's words has one form, and is told from a custody leaf", async (t) => {
  const { bundle, publicPem } = await sealBundle();
  const record = { sha256: bundle.sha256.toString("hex"), signature: bundle.signature, publicPem };
  t.same(parseHashedRekord(bundle.entry), record);
  t.same(parseLogEntry(bundle.entry), { type: "seal", record });
  const id = "0192f1a0-0000-7000-8000-000000000001";
  const commitment = "ab".repeat(32);
  const leaf = {
    v: 1,
    id,
    type: "clip.sealed",
    at: "2026-11-22T00:15:00.120Z",
    subject: { clip: id },
    commitment,
  } as const;
  t.same(parseLogEntry(encodeLeaf(leaf)), { type: "custody", leaf });

  const json = JSON.parse(bundle.entry.toString());
  const { data, signature } = json.spec;
  const { hash } = data;
  const base64 = (text: string | Buffer): string => Buffer.from(text).toString("base64");
  const signed = (change: object) => ({ ...json, spec: { data, signature: { ...signature, ...change } } });
  const hashed = (change: object) => ({ ...json, spec: { data: { hash: { ...hash, ...change } }, signature } });
  for (const [why, value] of [
    ["another version", { ...json, apiVersion: "0.0.2" }],
    ["another kind", { ...json, kind: "dsse" }],
    ["a member more", { ...json, note: "x" }],
    ["another algorithm", hashed({ algorithm: "sha512" })],
    ["a digest in capitals", hashed({ value: hash.value.toUpperCase() })],
    ["no signature", signed({ content: "" })],
    ["a signature that is no base64", signed({ content: "A" })],
    ["no text", signed({ content: 1 })],
    ["no key", signed({ publicKey: { content: base64("x") } })],
    ["a key that is no text", signed({ publicKey: { content: base64(Buffer.of(0xff)) } })],
    ["another kind of key", signed({ publicKey: { content: base64(pem(generateKeyPairSync("ed25519").publicKey)) } })],
    ["nothing", {}],
    ["a list", []],
  ] as const) {
    t.throws(() => parseHashedRekord(canonicalBytes(value)), malformed, why);
    t.throws(() => parseLogEntry(canonicalBytes(value)), malformed, why);
  }
  t.throws(() => parseHashedRekord(Buffer.from(JSON.stringify(json, null, 1))), malformed, "white space");
  t.throws(() => encodeHashedRekord({ ...record, sha256: "x" }), malformed, "what would not parse is not written");
});

t.test("a bundle is read as it was written, and in no other form", async (t) => {
  const { bundle, text } = await sealBundle();
  t.same(parseSealBundle(text), bundle);
  t.same(parseSealBundle(JSON.stringify(JSON.parse(text))), bundle, "white space may differ");
  t.equal(encodeSealBundle(bundle), text);
  t.match(text, /^ {4}"signature": "[^"]+"$/m, "members have lines of their own");
  const changed = (change: (json: ReturnType<typeof JSON.parse>) => void): string => {
    const json = JSON.parse(text);
    change(json);
    return JSON.stringify(json);
  };
  const entry = (json: ReturnType<typeof JSON.parse>) => json.verificationMaterial.tlogEntries[0];
  const stamps = (json: ReturnType<typeof JSON.parse>) => json.verificationMaterial.timestampVerificationData;
  const response = (...parts: Buffer[]) => derSequence(...parts).toString("base64");
  for (const [why, bad] of [
    ["no JSON", "{"],
    ["no object", "[]"],
    ["an endless one", " ".repeat(1_000_001)],
    ["another media type", changed((json) => (json.mediaType = "application/vnd.dev.sigstore.bundle.v0.2+json"))],
    ["a member more", changed((json) => (json.note = ""))],
    ["a member less", changed((json) => delete json.messageSignature)],
    ["a certificate", changed((json) => (json.verificationMaterial.certificate = {}))],
    ["two entries", changed((json) => json.verificationMaterial.tlogEntries.push(entry(json)))],
    ["no list of entries", changed((json) => (json.verificationMaterial.tlogEntries = {}))],
    ["another kind of entry", changed((json) => (entry(json).kindVersion.kind = "dsse"))],
    ["another version of entry", changed((json) => (entry(json).kindVersion.version = "0.0.2"))],
    ["a promise", changed((json) => (entry(json).inclusionPromise = {}))],
    ["a number for an index", changed((json) => (entry(json).logIndex = 2))],
    ["two indexes", changed((json) => (entry(json).inclusionProof.logIndex = "3"))],
    ["no list of hashes", changed((json) => (entry(json).inclusionProof.hashes = "x"))],
    ["a short hash", changed((json) => (entry(json).inclusionProof.hashes[0] = "AAAA"))],
    ["an empty checkpoint", changed((json) => (entry(json).inclusionProof.checkpoint.envelope = ""))],
    ["two timestamps", changed((json) => stamps(json).rfc3161Timestamps.push(stamps(json).rfc3161Timestamps[0]))],
    ["another digest algorithm", changed((json) => (json.messageSignature.messageDigest.algorithm = "SHA2_512"))],
    ["no base64", changed((json) => (json.messageSignature.signature = "_"))],
    ["another order", JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text)).reverse()))],
    ["a member twice", text.replace('"mediaType"', '"mediaType":"x","mediaType"')],
    [
      "a timestamp that was refused",
      changed((json) => {
        stamps(json).rfc3161Timestamps[0].signedTimestamp = response(derSequence(derInteger(2)));
      }),
    ],
    [
      "a timestamp with words",
      changed((json) => {
        const status = derSequence(derInteger(0), derSequence(derUtf8("fine")));
        stamps(json).rfc3161Timestamps[0].signedTimestamp = response(status, bundle.timestampToken);
      }),
    ],
  ] as const) {
    t.throws(() => parseSealBundle(bad), malformed, why);
  }
  const noResponse = changed((json) => (stamps(json).rfc3161Timestamps[0].signedTimestamp = "MAA="));
  t.throws(() => parseSealBundle(noResponse), { code: "timestamp-rejected" });
});

t.test("the log and the authorities are told in Sigstore's words", async (t) => {
  const { vkey } = noteKeyPair("log.example/custody", randomBytes(32));
  t.same(logIdOf(vkey).subarray(0, 4), parseVkey(vkey).id, "the name of the log begins with its key id");
  t.throws(() => logIdOf(noteKeyPair("witness.example", randomBytes(32), "cosignature").vkey), malformed);

  const anchor = root();
  const between = party({ name: "between", issuer: anchor, extensions: [] });
  const authority = party({ issuer: anchor });
  const chain = timestampChain(token(authority), [anchor.pem]);
  t.same(
    chain.map(({ der }) => der),
    [authority.certificate.der, anchor.certificate.der],
  );
  t.throws(() => timestampChain(token(authority), [between.pem]), { code: "timestamp-rejected" });
  t.throws(() => timestampChain(Buffer.of(), [anchor.pem]), { code: "timestamp-rejected" });
  t.throws(() => timestampChain(token(authority), ["x"]), malformed);

  const told = JSON.parse(encodeTrustedRoot({ logs: [{ vkey }, { vkey, until: NOW }], timestampChains: [chain] }));
  t.equal(told.mediaType, "application/vnd.dev.sigstore.trustedroot+json;version=0.1");
  const [log, retired] = told.tlogs;
  t.same(log.publicKey.validFor, { start: "1970-01-01T00:00:00Z" });
  t.same(retired.publicKey.validFor, { start: "1970-01-01T00:00:00Z", end: NOW.toISOString() });
  t.match(log, { baseUrl: "https://log.example/custody", publicKey: { keyDetails: "PKIX_ED25519" } });
  const spki = parseVkey(vkey).key.export({ format: "der", type: "spki" });
  t.equal(log.publicKey.rawBytes, spki.toString("base64"));
  const [ca] = told.timestampAuthorities;
  const certificates = ca.certChain.certificates.map((each: { rawBytes: string }) =>
    Buffer.from(each.rawBytes, "base64"),
  );
  t.same(
    certificates.map((each: Buffer) => parseCertificate(each).der),
    chain.map(({ der }) => der),
  );
  t.match(ca.validFor, { start: "2026-11-22T00:15:00.000Z", end: "2027-11-22T00:15:00.000Z" });
  t.throws(() => encodeTrustedRoot({ logs: [], timestampChains: [[]] }), RangeError);
});
