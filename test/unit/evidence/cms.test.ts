import fc from "fast-check";
import t from "tap";
import { createExportSigner, parseCertificate, signDetached, verifyDetached } from "#evidence";
import { DerReader, der, derOctets, derOid, derSequence, TAG } from "../../../src/evidence/timestamp/der.ts";
import { OID } from "../../../src/evidence/timestamp/oids.ts";
import { detached } from "../../support/forged-signatures.ts";
import {
  attribute,
  CA,
  certificateId,
  extendedKeyUsage,
  keyUsage,
  party,
  root,
  signingCertificate,
} from "../../support/forged-timestamps.ts";

const AT = new Date("2026-11-22T00:15:00.120Z");
const content = Buffer.from("a manifest\n");
const signer = createExportSigner({ name: "dockseal test", now: new Date("2026-11-22T00:00:00Z") });
const roots = [signer.rootPem];
const rejected = (detail: RegExp) => ({ name: "DocksealError", code: "proof-rejected", detail });
const malformed = { name: "DocksealError", code: "malformed-proof" };

t.test("a signature tells who signed and when, to the second", async (t) => {
  const message = signDetached(content, signer, AT);
  const found = { signer: "CN=dockseal test", signingTime: new Date("2026-11-22T00:15:00Z") };
  t.same(verifyDetached(message, content, { roots }), found);
  t.same(verifyDetached(message, content, { roots: [parseCertificate(signer.rootPem).der] }), found);
  const later = createExportSigner({ name: "later", now: new Date("2049-01-01T00:00:00Z") });
  const beyond = signDetached(content, later, new Date("2050-06-01T12:00:00.999Z"));
  const { signingTime } = verifyDetached(beyond, content, { roots: [later.rootPem] });
  t.equal(signingTime.toISOString(), "2050-06-01T12:00:00.000Z", "from 2050 on the time has another form");
});

t.test("a changed byte anywhere in the signature is noticed", async (t) => {
  const message = signDetached(content, signer, AT);
  fc.assert(
    fc.property(fc.nat({ max: message.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const changed = Buffer.from(message);
      changed[at] = (changed[at] ?? 0) ^ mask;
      try {
        verifyDetached(changed, content, { roots });
      } catch {
        return true;
      }
      return false;
    }),
    { numRuns: 500 },
  );
  t.throws(() => verifyDetached(message, Buffer.from("a manifesT\n"), { roots }), rejected(/message-digest/));
  t.throws(() => verifyDetached(Buffer.concat([message, Buffer.of(0)]), content, { roots }), malformed);
  t.throws(() => verifyDetached(message.subarray(1), content, { roots }), malformed);
  t.throws(() => verifyDetached(message, content, { roots: ["no certificate"] }), malformed);
});

t.test("only a certificate that leads to a believed root and was valid then will do", async (t) => {
  const message = signDetached(content, signer, AT);
  t.throws(() => verifyDetached(message, content, { roots: [] }), rejected(/chain/));
  const other = createExportSigner({ name: "dockseal test", now: AT });
  t.throws(() => verifyDetached(message, content, { roots: [other.rootPem] }), rejected(/chain/));
  for (const at of ["2026-11-21T23:59:59Z", "2046-11-22T00:00:01Z"]) {
    const early = signDetached(content, signer, new Date(at));
    t.throws(() => verifyDetached(early, content, { roots }), rejected(/certificate-validity/), at);
  }
});

t.test("each way in which a signature can be wrong is refused", async (t) => {
  const anchor = root();
  const may = [keyUsage(0), extendedKeyUsage(false, OID.emailProtection)];
  const good = party({ issuer: anchor, extensions: may });
  const check = (message: Buffer) => verifyDetached(message, content, { roots: [anchor.pem] });
  t.match(check(detached(good, content)), { signer: "CN=authority" });
  const without = (n: number) => (all: readonly Buffer[]) => all.filter((_, at) => at !== n);
  const own = signingCertificate(certificateId(anchor.certificate));
  for (const [why, message, detail] of [
    ["a timestamp", detached(good, content, { contentType: OID.tstInfo }), /plain data/],
    ["another version", detached(good, content, { version: 3 }), /version/],
    ["another version of the signer", detached(good, content, { signerVersion: 3 }), /version/],
    ["no signer", detached(good, content, { signers: 0 }), /one-signer/],
    ["two signers", detached(good, content, { signers: 2 }), /one-signer/],
    ["no certificate", detached(good, content, { certificates: [] }), /signer-certificate/],
    ["no attributes", detached(good, content, { withoutAttributes: true }), /signed-attributes/],
    ["no content type", detached(good, content, { attributes: without(0) }), /signed-attributes/],
    ["no message digest", detached(good, content, { attributes: without(1) }), /message-digest/],
    ["no signing time", detached(good, content, { attributes: without(2) }), /signing time/],
    ["no signing certificate", detached(good, content, { attributes: without(3) }), /signing-certificate/],
    [
      "another signing certificate",
      detached(good, content, { attributes: (all) => [...all.slice(0, 3), own] }),
      /signing-certificate/,
    ],
    [
      "an attribute twice",
      detached(good, content, { attributes: (all) => [...all, ...all.slice(2, 3)] }),
      /signed-attributes/,
    ],
    ["a key for other things", detached(party({ issuer: anchor, extensions: [keyUsage(4)] }), content), /may not sign/],
    [
      "a certificate for other things",
      detached(party({ issuer: anchor, extensions: [extendedKeyUsage(false, OID.timeStamping)] }), content),
      /other purposes/,
    ],
    [
      "an issuer that is no authority",
      detached(party({ issuer: good, extensions: may }), content, { more: [good.certificate.der] }),
      /chain|certificate-authority/,
    ],
  ] as const) {
    t.throws(() => check(message), rejected(detail), why);
  }
  const bare = party({ issuer: anchor, extensions: [] });
  t.ok(check(detached(bare, content)), "a certificate without limits may sign");
  const committed = party({ issuer: anchor, extensions: [keyUsage(1)] });
  t.ok(check(detached(committed, content)), "a key for commitments may sign");
  const authority = party({ issuer: anchor, extensions: CA });
  const below = party({ issuer: authority, extensions: may });
  t.ok(check(detached(below, content, { more: [authority.certificate.der] })), "through an authority in between");
  const carried = detached(good, content, { carried: der(0xa0, derOctets(content)) });
  t.throws(() => check(carried), malformed, "a signature that carries its content");
  const odd = attribute(OID.signingTime, derSequence(derOid("1.2.3")));
  const oddTime = detached(good, content, { attributes: (all) => [...all.slice(0, 2), odd, ...all.slice(3)] });
  t.throws(() => check(oddTime), malformed, "a signing time that is no time");
});

t.test("times in certificates and signatures have whole seconds, and two digits for the year until 2049", async (t) => {
  const read = (text: string, tag: number = TAG.utcTime) =>
    new DerReader(der(tag, Buffer.from(text))).time().toISOString();
  t.equal(read("491231235959Z"), "2049-12-31T23:59:59.000Z");
  t.equal(read("500101000000Z"), "1950-01-01T00:00:00.000Z");
  t.equal(read("20500101000000Z", TAG.generalizedTime), "2050-01-01T00:00:00.000Z");
  for (const bad of ["4912312359Z", "491231235959.5Z", "491331235959Z", "491231235959+0800"]) {
    t.throws(() => read(bad), malformed, bad);
  }
});
