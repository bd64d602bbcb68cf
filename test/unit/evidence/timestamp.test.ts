import { createHash, generateKeyPairSync } from "node:crypto";
import t from "tap";
import { imprintsOf, verifyTimestampToken } from "#evidence";
import {
  context,
  contextConstructed,
  der,
  derInteger,
  derNull,
  derOctets,
  derOid,
  derSequence,
  derTrue,
} from "../../../src/evidence/timestamp/der.ts";
import { extension } from "../../../src/evidence/timestamp/issue.ts";
import { OID } from "../../../src/evidence/timestamp/oids.ts";
import {
  attribute,
  certificateId,
  extendedKeyUsage,
  IMPRINT,
  keyUsage,
  NONCE,
  NOW,
  POLICY,
  party,
  root,
  SHA256,
  signingCertificate,
  TSA,
  token,
  tstInfo,
} from "../../support/forged-timestamps.ts";

const anchor = root();
const signer = party({ issuer: anchor });
const expected = { imprint: IMPRINT, nonce: NONCE, policy: POLICY, roots: [anchor.pem] };
const refused = (check: string) => ({ name: "DocksealError", code: "timestamp-rejected", extra: { check } });
const sha384 = derOid("2.16.840.1.101.3.4.2.2");

t.test("a right token tells its time, serial number, policy and signer", async (t) => {
  t.same(verifyTimestampToken(token(signer), expected), {
    genTime: NOW,
    serial: "abcdef",
    policy: POLICY,
    signer: "CN=authority",
    validUntil: new Date("2027-11-22T00:15:00.000Z"),
  });
  const accuracy = derSequence(derInteger(2), der(context(0), Buffer.of(5)), der(context(1), Buffer.of(7)));
  const directoryName = der(contextConstructed(4), signer.certificate.subject);
  const tsa = der(contextConstructed(0), directoryName);
  const note = der(contextConstructed(1), extension("1.2.3", false, derNull()));
  const full = tstInfo({ rest: [accuracy, derTrue(), derInteger(NONCE), tsa, note], algorithm: SHA256 });
  t.match(verifyTimestampToken(token(signer, { content: full }), expected), {
    accuracy: { seconds: 2, millis: 5, micros: 7 },
  });
  const empty = tstInfo({ rest: [derSequence()] });
  const { accuracy: none } = verifyTimestampToken(token(signer, { content: empty }), { ...expected, nonce: undefined });
  t.same(none, {});
  const extras = { before: [der(contextConstructed(1))], after: [der(contextConstructed(1))] };
  t.ok(
    verifyTimestampToken(token(signer, extras), expected),
    "revocation lists and unsigned attributes are passed over",
  );
  const bare = token(signer, { certificates: [] });
  t.ok(verifyTimestampToken(bare, { ...expected, intermediates: [signer.certificate.der] }));
});

t.test("a token is trusted until the first certificate of its path ends", async (t) => {
  const short = root({ from: new Date("2026-06-01T00:00:00Z") });
  const until = verifyTimestampToken(token(party({ issuer: short })), { ...expected, roots: [short.pem] }).validUntil;
  t.same(until, short.certificate.x509.validToDate);
});

t.test("a time is sane when it lies between two moments, both included", async (t) => {
  const at = (ms: number): Date => new Date(NOW.getTime() + ms);
  for (const [from, until] of [
    [0, 0],
    [-1, 1],
  ] as const) {
    t.ok(verifyTimestampToken(token(signer), { ...expected, between: [at(from), at(until)] }));
  }
  for (const [from, until] of [
    [1, 2],
    [-2, -1],
  ] as const) {
    const between = [at(from), at(until)] as const;
    t.throws(() => verifyTimestampToken(token(signer), { ...expected, between }), refused("time"));
  }
});

t.test("an imprint is compared by its own algorithm, SHA-256 or SM3", async (t) => {
  const { sha256, sm3 } = imprintsOf(Buffer.from("evidence"));
  const overSm3 = token(signer, { content: tstInfo({ algorithm: derSequence(derOid(OID.sm3)), imprint: sm3 }) });
  t.ok(verifyTimestampToken(overSm3, { ...expected, imprint: { sha256, sm3 } }));
  t.ok(verifyTimestampToken(token(signer), { ...expected, imprint: { sha256, sm3 } }));
  const other = imprintsOf(Buffer.from("other"));
  t.throws(() => verifyTimestampToken(overSm3, { ...expected, imprint: other }), refused("imprint"));
  t.throws(() => verifyTimestampToken(overSm3, { ...expected, imprint: sm3 }), refused("imprint-algorithm"));
  t.throws(() => verifyTimestampToken(overSm3, { ...expected, imprint: { sha256 } }), refused("imprint-algorithm"));
  t.throws(() => verifyTimestampToken(token(signer), { ...expected, imprint: { sm3 } }), refused("imprint-algorithm"));
});

t.test("each way in which the signed data can be wrong fails its own check", async (t) => {
  const [usage = Buffer.of()] = TSA;
  const stranger = party({ issuer: anchor });
  const own = certificateId(signer.certificate);
  const issuer = der(contextConstructed(4), signer.certificate.issuer);
  const hash = createHash("sha256").update(signer.certificate.der).digest();
  const named = (serial: bigint) => derSequence(derOctets(hash), derSequence(derSequence(issuer), derInteger(serial)));
  const only = (...ids: Buffer[]) => ({
    attributes: (all: readonly Buffer[]) => [...all.slice(0, 2), signingCertificate(...ids)],
  });
  const replaced = (n: number, by: Buffer[]) => ({
    attributes: (all: readonly Buffer[]) => [...all.slice(0, n), ...by, ...all.slice(n + 1)],
  });
  const rsa = party({ issuer: anchor, keys: generateKeyPairSync("rsa", { modulusLength: 2048 }) });
  const cases: [why: string, check: string, token: Buffer][] = [
    ["not CMS signed data", "content-type", token(signer, { outerType: "1.2.840.113549.1.7.1" })],
    ["not a timestamp inside", "content-type", token(signer, { contentType: "1.2.840.113549.1.7.1" })],
    ["another version", "version", token(signer, { version: 1 })],
    ["another version of the signer", "version", token(signer, { signerVersion: 3 })],
    ["another version of the timestamp", "version", token(signer, { content: tstInfo({ version: 2 }) })],
    ["no signer", "one-signer", token(signer, { signers: 0 })],
    ["two signers", "one-signer", token(signer, { signers: 2 })],
    ["no signer's certificate", "signer-certificate", token(signer, { certificates: [anchor.certificate.der] })],
    ["no signed attributes", "signed-attributes", token(signer, { withoutAttributes: true })],
    ["no content type", "signed-attributes", token(signer, replaced(0, []))],
    [
      "another content type",
      "signed-attributes",
      token(signer, replaced(0, [attribute(OID.contentType, derOid("1.2.3"))])),
    ],
    ["an attribute twice", "signed-attributes", token(signer, { attributes: (all) => [...all, ...all.slice(0, 1)] })],
    ["an attribute without value", "signed-attributes", token(signer, replaced(0, [attribute(OID.contentType)]))],
    [
      "an attribute with two values",
      "signed-attributes",
      token(signer, replaced(0, [attribute(OID.contentType, derOid(OID.tstInfo), derOid("1.2.3"))])),
    ],
    ["no message digest", "message-digest", token(signer, replaced(1, []))],
    [
      "another message digest",
      "message-digest",
      token(signer, replaced(1, [attribute(OID.messageDigest, derOctets(hash))])),
    ],
    ["an algorithm that was not announced", "message-digest", token(signer, { announced: [derSequence(sha384)] })],
    [
      "SHA-1",
      "message-digest",
      token(signer, { digest: { name: "sha1", algorithm: derSequence(derOid("1.3.14.3.2.26")) } }),
    ],
    [
      "a digest with parameters",
      "message-digest",
      token(signer, { digest: { name: "sha256", algorithm: derSequence(derOid(OID.sha256), derInteger(1)) } }),
    ],
    ["no signing certificate", "signing-certificate", token(signer, replaced(2, []))],
    ["a signing certificate that names none", "signing-certificate", token(signer, only())],
    ["that names another one", "signing-certificate", token(signer, only(certificateId(stranger.certificate)))],
    [
      "that names another one too",
      "signing-certificate",
      token(signer, only(own, certificateId(stranger.certificate))),
    ],
    [
      "that names the signer's later",
      "signing-certificate",
      token(signer, only(certificateId(anchor.certificate), own)),
    ],
    ["that names the signer's twice", "signing-certificate", token(signer, only(own, own))],
    ["that names another serial number", "signing-certificate", token(signer, only(named(7n)))],
    [
      "an unknown signature algorithm",
      "signature-algorithm",
      token(signer, { signatureAlgorithm: derSequence(derOid("1.2.3")) }),
    ],
    [
      "an algorithm of another digest",
      "signature-algorithm",
      token(signer, { signatureAlgorithm: derSequence(derOid("1.2.840.10045.4.3.3")) }),
    ],
    [
      "an algorithm of another kind of key",
      "signature-algorithm",
      token(signer, { signatureAlgorithm: derSequence(derOid(OID.rsaEncryption), derNull()) }),
    ],
    ["ECDSA of an RSA key", "signature-algorithm", token(rsa)],
    ["another signature", "signature", token({ ...signer, key: stranger.key })],
    [
      "another algorithm of the imprint",
      "imprint-algorithm",
      token(signer, { content: tstInfo({ algorithm: derSequence(sha384) }) }),
    ],
    [
      "an imprint with parameters",
      "imprint-algorithm",
      token(signer, { content: tstInfo({ algorithm: derSequence(derOid(OID.sha256), derInteger(1)) }) }),
    ],
    ["another imprint", "imprint", token(signer, { content: tstInfo({ imprint: hash }) })],
    ["another nonce", "nonce", token(signer, { content: tstInfo({ rest: [derInteger(1)] }) })],
    ["no nonce", "nonce", token(signer, { content: tstInfo({ rest: [] }) })],
    ["another policy", "policy", token(signer, { content: tstInfo({ policy: "1.2.3" }) })],
    [
      "another name",
      "tsa-name",
      token(signer, {
        content: tstInfo({
          rest: [derInteger(NONCE), der(contextConstructed(0), der(contextConstructed(4), anchor.certificate.subject))],
        }),
      }),
    ],
    [
      "a critical extension",
      "critical-extension",
      token(signer, {
        content: tstInfo({
          rest: [derInteger(NONCE), der(contextConstructed(1), extension("1.2.3", true, derNull()))],
        }),
      }),
    ],
    [
      "another EKU",
      "extended-key-usage",
      token(party({ issuer: anchor, extensions: [usage, extendedKeyUsage(true, "1.3.6.1.5.5.7.3.1")] })),
    ],
    [
      "one EKU more",
      "extended-key-usage",
      token(party({ issuer: anchor, extensions: [usage, extendedKeyUsage(true, OID.timeStamping, "2.5.29.37.0")] })),
    ],
    [
      "an EKU that is not critical",
      "extended-key-usage",
      token(party({ issuer: anchor, extensions: [usage, extendedKeyUsage(false, OID.timeStamping)] })),
    ],
    ["no EKU", "extended-key-usage", token(party({ issuer: anchor, extensions: [usage] }))],
    [
      "an EKU that is no list",
      "der",
      token(party({ issuer: anchor, extensions: [extension(OID.extendedKeyUsage, true, derNull())] })),
    ],
    [
      "a key usage without signing",
      "key-usage",
      token(party({ issuer: anchor, extensions: [keyUsage(8), ...TSA.slice(1)] })),
    ],
    [
      "an empty key usage",
      "key-usage",
      token(
        party({
          issuer: anchor,
          extensions: [extension(OID.keyUsage, true, Buffer.from("030100", "hex")), ...TSA.slice(1)],
        }),
      ),
    ],
    ["bytes left over", "der", Buffer.concat([token(signer), Buffer.of(0)])],
    ["nothing", "der", Buffer.of()],
  ];
  for (const [why, check, bytes] of cases) t.throws(() => verifyTimestampToken(bytes, expected), refused(check), why);

  t.ok(verifyTimestampToken(token(signer, only(named(signer.certificate.serial))), expected));
  t.ok(verifyTimestampToken(token(signer, only(own, certificateId(anchor.certificate))), expected));
  const long = derSequence(
    derSequence(sha384),
    derOctets(createHash("sha384").update(signer.certificate.der).digest()),
  );
  t.ok(verifyTimestampToken(token(signer, only(long)), expected), "ESSCertIDv2 with another digest");
  const short = createHash("sha1").update(signer.certificate.der).digest();
  const first = attribute(
    OID.signingCertificate,
    derSequence(derSequence(derSequence(derOctets(short))), derSequence()),
  );
  t.ok(verifyTimestampToken(token(signer, replaced(2, [first])), expected), "ESSCertID of RFC 2634");
  const plain = token(rsa, { signatureAlgorithm: derSequence(derOid(OID.rsaEncryption), derNull()) });
  t.ok(verifyTimestampToken(plain, expected), "RSA");
  const noUsage = party({ issuer: anchor, extensions: TSA.slice(1) });
  t.ok(verifyTimestampToken(token(noUsage), expected), "key usage may be left out");
  const dns = der(context(2), Buffer.from("tsa.example"));
  const alias = party({ issuer: anchor, extensions: [...TSA, extension(OID.subjectAltName, false, derSequence(dns))] });
  const content = tstInfo({ rest: [derInteger(NONCE), der(contextConstructed(0), dns)] });
  t.ok(verifyTimestampToken(token(alias, { content }), expected), "an alternative name is a name");
});

t.test("a fault that is not in the token is not blamed on it", async (t) => {
  const broken = { ...expected, imprint: null as unknown as Buffer };
  t.throws(() => verifyTimestampToken(token(signer), broken), TypeError);
});
