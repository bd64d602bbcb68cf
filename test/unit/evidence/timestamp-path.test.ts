import { generateKeyPairSync, sign } from "node:crypto";
import t from "tap";
import { parseCertificate, verifyTimestampToken } from "#evidence";
import {
  contextConstructed,
  der,
  derBits,
  derInteger,
  derNull,
  derOid,
  derSequence,
  derTime,
  derTrue,
} from "../../../src/evidence/timestamp/der.ts";
import { extension } from "../../../src/evidence/timestamp/issue.ts";
import { OID } from "../../../src/evidence/timestamp/oids.ts";
import {
  basicConstraints,
  CA,
  IMPRINT,
  keyUsage,
  NONCE,
  type Party,
  type PartyOptions,
  POLICY,
  party,
  root,
  TSA,
  token,
  tstInfo,
} from "../../support/forged-timestamps.ts";

const anchor = root();
const signer = party({ issuer: anchor });
const expected = { imprint: IMPRINT, nonce: NONCE, policy: POLICY, roots: [anchor.pem] };
const refused = (check: string) => ({ name: "DocksealError", code: "timestamp-rejected", extra: { check } });
const years = (n: number): Date => new Date(Date.UTC(2026 + n, 10, 22));

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
