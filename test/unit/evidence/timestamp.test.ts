import { createHash, generateKeyPairSync, sign } from "node:crypto";
import t from "tap";
import { parseCertificate, verifyTimestampToken } from "#evidence";
import { extension } from "../../../src/evidence/timestamp/authority-keys.ts";
import {
  context,
  contextConstructed,
  der,
  derBits,
  derInteger,
  derNull,
  derOctets,
  derOid,
  derSequence,
  derTime,
  derTrue,
} from "../../../src/evidence/timestamp/der.ts";
import { OID } from "../../../src/evidence/timestamp/oids.ts";
import {
  attribute,
  basicConstraints,
  CA,
  certificateId,
  extendedKeyUsage,
  IMPRINT,
  keyUsage,
  NONCE,
  NOW,
  type Party,
  type PartyOptions,
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
const years = (n: number): Date => new Date(Date.UTC(2026 + n, 10, 22));

t.test("a right token tells its time, serial number, policy and signer", async (t) => {
  t.same(verifyTimestampToken(token(signer), expected), {
    genTime: NOW,
    serial: "abcdef",
    policy: POLICY,
    signer: "CN=authority",
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

t.test("the path leads to a given root, and every authority in it may be one", async (t) => {
  const sub = (options: PartyOptions = {}) => root({ name: "sub", issuer: anchor, ...options });
  const through = (...authorities: Party[]) => {
    const leaf = party({ issuer: authorities.at(-1) ?? anchor });
    return token(leaf, { certificates: [leaf, ...authorities].map(({ certificate }) => certificate.der) });
  };
  t.ok(verifyTimestampToken(through(), expected));
  t.ok(verifyTimestampToken(through(sub()), expected));
  t.ok(
    verifyTimestampToken(through(sub({ extensions: [basicConstraints(derTrue())] })), expected),
    "without key usage",
  );
  const limited = root({ extensions: [basicConstraints(derTrue(), derInteger(0)), keyUsage(5)] });
  const under = (issuer: Party, options: PartyOptions = {}) => root({ name: "below", issuer, ...options });
  const cases: [why: string, check: string, token: Buffer, roots: Party[]][] = [
    ["another root", "chain", through(), [root()]],
    ["no root", "chain", through(), []],
    ["a root that is none", "chain", through(), [sub()]],
    ["no CA", "certificate-authority", through(sub({ extensions: [] })), [anchor]],
    ["explicitly no CA", "certificate-authority", through(sub({ extensions: [basicConstraints()] })), [anchor]],
    ["a root that is no CA", "certificate-authority", through(), [root({ keys: keysOf(anchor), extensions: [] })]],
    ["may not sign", "chain", through(sub({ extensions: [basicConstraints(derTrue()), keyUsage(0)] })), [anchor]],
    ["too long a path", "certificate-authority", through(under(limited)), [limited]],
    [
      "an unknown critical extension",
      "critical-extension",
      through(sub({ extensions: [...CA, extension("1.2.3", true, derNull())] })),
      [anchor],
    ],
    [
      "a short RSA key",
      "certificate-algorithm",
      token(party({ issuer: anchor, keys: generateKeyPairSync("rsa", { modulusLength: 1024 }) })),
      [anchor],
    ],
  ];
  for (const [why, check, bytes, roots] of cases) {
    const options = { ...expected, roots: roots.map(({ pem }) => pem) };
    t.throws(() => verifyTimestampToken(bytes, options), refused(check), why);
  }
  const five: Party[] = [];
  for (let n = 0; n < 5; n += 1) five.push(under(five.at(-1) ?? anchor, { name: `authority ${n}` }));
  t.throws(() => verifyTimestampToken(through(...five), expected), refused("chain"), "a path of seven");
  t.ok(verifyTimestampToken(through(...five.slice(0, 4)), expected), "a path of six");
});

t.test("a second path is tried when the first one does not hold", async (t) => {
  const keys = keysOf(anchor);
  const expired = root({ keys, from: years(-9) });
  const roots = [expired.pem, anchor.pem];
  t.ok(verifyTimestampToken(token(signer), { ...expected, roots }));
  t.throws(
    () => verifyTimestampToken(token(signer), { ...expected, roots: [expired.pem] }),
    refused("certificate-validity"),
  );
});

t.test("many certificates that sign each other end the search, not the program", async (t) => {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const ring = Array.from({ length: 40 }, () => root({ name: "ring", keys }));
  const leaf = party({ issuer: ring[0] ?? anchor });
  const certificates = [leaf, ...ring].map(({ certificate }) => certificate.der);
  t.throws(() => verifyTimestampToken(token(leaf, { certificates }), expected), {
    ...refused("chain"),
    message: /too many certificates/,
  });
});

t.test("every certificate must have been valid at the time told, whatever the time is today", async (t) => {
  const at = (genTime: Date) => tstInfo({ genTime });
  const { validFromDate, validToDate } = signer.certificate.x509;
  t.ok(verifyTimestampToken(token(signer, { content: at(validFromDate) }), expected));
  t.ok(verifyTimestampToken(token(signer, { content: at(validToDate) }), expected));
  const before = token(signer, { content: at(new Date(validFromDate.getTime() - 1)) });
  t.throws(() => verifyTimestampToken(before, expected), refused("certificate-validity"));
  const after = token(signer, { content: at(new Date(validToDate.getTime() + 1)) });
  t.throws(() => verifyTimestampToken(after, expected), refused("certificate-validity"));
  const oldRoot = root({ from: years(-9), years: 2 });
  const late = token(party({ issuer: oldRoot }));
  t.throws(() => verifyTimestampToken(late, { ...expected, roots: [oldRoot.pem] }), refused("certificate-validity"));
});

t.test("a certificate is read strictly", async (t) => {
  const bytes = signer.certificate.der;
  const malformed = { code: "malformed-proof" };
  t.same(parseCertificate(signer.pem).der, bytes);
  t.same(parseCertificate(signer.pem.replaceAll("\n", "\r\n")).der, bytes);
  for (const [why, bad] of [
    ["text before", `x\n${signer.pem}`],
    ["two of them", signer.pem + anchor.pem],
    ["no PEM", "x"],
    ["bytes left over", Buffer.concat([bytes, Buffer.of(0)])],
    ["another sequence", derSequence(derInteger(1))],
    ["the same extension twice", () => party({ extensions: [keyUsage(0), keyUsage(0)] })],
  ] as const) {
    t.throws(() => (typeof bad === "function" ? bad() : parseCertificate(bad)), malformed, why);
  }
  const ecdsa256 = derOid(OID.ecdsaWithSha256);
  const differing = Buffer.from(bytes);
  const last = differing.lastIndexOf(ecdsa256);
  differing[last + ecdsa256.length - 1] = 3;
  t.throws(() => parseCertificate(differing), { ...malformed, message: /two different signature algorithms/ });
  const curve = derOid("1.2.840.10045.3.1.7");
  const unknown = Buffer.from(bytes);
  unknown[unknown.indexOf(curve) + curve.length - 1] = 99;
  t.throws(() => parseCertificate(unknown), { ...malformed, message: /cannot be read/ }, "a key on an unknown curve");
  t.throws(() => verifyTimestampToken(token(signer), { ...expected, roots: ["x"] }), malformed, "a root that is none");
});

t.test(
  "a certificate that is signed with a broken algorithm, or that has no extensions, is not followed",
  async (t) => {
    const sha1 = derSequence(derOid("1.2.840.10045.4.1"));
    const sha256 = derSequence(derOid(OID.ecdsaWithSha256));
    const spki = signer.certificate.x509.publicKey.export({ format: "der", type: "spki" });
    const signed = (digest: string, algorithm: Buffer, ...rest: Buffer[]): Party => {
      const validity = derSequence(derTime(years(-1)), derTime(years(40)));
      const { subject } = signer.certificate;
      const tbs = derSequence(derInteger(7), algorithm, anchor.certificate.subject, validity, subject, spki, ...rest);
      const bytes = derSequence(tbs, algorithm, derBits(sign(digest, tbs, anchor.key)));
      return { key: signer.key, certificate: parseCertificate(bytes), pem: "" };
    };
    const weak = signed("sha1", sha1, der(contextConstructed(3), derSequence(...TSA)));
    t.throws(() => verifyTimestampToken(token(weak), expected), refused("certificate-algorithm"));
    t.throws(() => verifyTimestampToken(token(signed("sha256", sha256)), expected), refused("extended-key-usage"));
  },
);

function keysOf({ key, certificate }: Party) {
  return { privateKey: key, publicKey: certificate.x509.publicKey };
}

t.test("a fault that is not in the token is not blamed on it", async (t) => {
  const broken = { ...expected, imprint: null as unknown as Buffer };
  t.throws(() => verifyTimestampToken(token(signer), broken), TypeError);
});
