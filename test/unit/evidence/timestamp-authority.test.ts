import { createHash, createPublicKey } from "node:crypto";
import t from "tap";
import {
  BUILT_IN_POLICY,
  createTimestampAuthority,
  imprintsOf,
  parseTimestampResponse,
  TimestampAuthority,
  timestampRequest,
  verifyTimestampToken,
} from "#evidence";
import {
  contextConstructed,
  der,
  derInteger,
  derNamedBits,
  derNull,
  derOctets,
  derOid,
  derSequence,
  derUtf8,
  TAG,
} from "../../../src/evidence/timestamp/der.ts";
import { OID } from "../../../src/evidence/timestamp/oids.ts";
import { stamped } from "../../support/stamped.ts";

const NOW = new Date("2026-11-22T00:15:00.120Z");
const imprint = createHash("sha256").update("evidence").digest();
const keys = createTimestampAuthority({ name: "dockseal test", now: NOW });
const serial = Buffer.from("f0".repeat(16), "hex");
const authorityAt = (now: Date) => new TimestampAuthority(keys, { now: () => now }, () => serial);
const answer = async (request: Uint8Array, now = NOW) =>
  parseTimestampResponse(await authorityAt(now).respond(request));

/** A TimeStampReq with any part different. */
function request(parts: { version?: number; algorithm?: Buffer; hash?: Buffer; rest?: Buffer[] } = {}): Buffer {
  return derSequence(
    derInteger(parts.version ?? 1),
    derSequence(parts.algorithm ?? derSequence(derOid(OID.sha256)), derOctets(parts.hash ?? imprint)),
    ...(parts.rest ?? []),
  );
}

t.test("the answer to dockseal's own question passes every check", async (t) => {
  const asked = timestampRequest({ imprint, nonce: 2n ** 100n, policy: BUILT_IN_POLICY });
  const { status, statusText, failInfo, tokenDer } = await answer(asked);
  t.same({ status, statusText, failInfo }, { status: 0, statusText: [], failInfo: [] });
  const expected = { imprint, nonce: 2n ** 100n, policy: BUILT_IN_POLICY, roots: [keys.rootPem] };
  t.same(verifyTimestampToken(tokenDer ?? Buffer.of(), expected), {
    genTime: NOW,
    serial: serial.toString("hex"),
    policy: BUILT_IN_POLICY,
    signer: "CN=dockseal test",
    validUntil: new Date("2046-11-22T00:15:00.000Z"),
  });
  t.throws(() => timestampRequest({ imprint, nonce: -1n }), RangeError);
  t.throws(() => timestampRequest({ imprint: Buffer.alloc(20), nonce: 1n }), RangeError);
});

t.test("nonce and certificate come back exactly when they were asked for", async (t) => {
  const { tokenDer = Buffer.of() } = await answer(request());
  const roots = [keys.rootPem];
  t.throws(() => verifyTimestampToken(tokenDer, { imprint, roots }), { message: /signer-certificate/ });
  t.ok(verifyTimestampToken(tokenDer, { imprint, roots, intermediates: [keys.certificatePem] }));
  t.throws(() => verifyTimestampToken(tokenDer, { imprint, nonce: 0n, roots, intermediates: [keys.certificatePem] }), {
    message: /nonce/,
  });
});

t.test("a bad request is answered with its PKIFailureInfo", async (t) => {
  for (const [why, bad, failure] of [
    ["no DER", Buffer.from("hello"), "badDataFormat"],
    ["nothing", Buffer.of(), "badDataFormat"],
    ["bytes left over", Buffer.concat([request(), Buffer.of(0)]), "badDataFormat"],
    ["version 2", request({ version: 2 }), "badRequest"],
    ["SHA-1", request({ algorithm: derSequence(derOid("1.3.14.3.2.26")), hash: Buffer.alloc(20) }), "badAlg"],
    ["parameters", request({ algorithm: derSequence(derOid(OID.sha256), derInteger(1)) }), "badAlg"],
    ["a digest that is too short", request({ hash: imprint.subarray(1) }), "badDataFormat"],
    ["another policy", request({ rest: [derOid("1.2.3")] }), "unacceptedPolicy"],
    ["a negative nonce", request({ rest: [der(TAG.integer, Buffer.of(0xff))] }), "badDataFormat"],
    ["an extension", request({ rest: [der(contextConstructed(0), derNull())] }), "unacceptedExtension"],
  ] as const) {
    const { status, statusText, failInfo, tokenDer } = await answer(bad);
    t.same({ status, failInfo, tokenDer }, { status: 2, failInfo: [failure], tokenDer: undefined }, why);
    t.equal(statusText.length, 1);
  }
});

t.test("no time is told outside of the certificate's validity", async (t) => {
  t.match(await answer(request(), new Date("2026-11-22T00:14:59Z")), { status: 2, failInfo: ["timeNotAvailable"] });
  t.match(await answer(request(), new Date("2046-11-22T00:15:01Z")), { status: 2, failInfo: ["timeNotAvailable"] });
  t.match(await answer(request(), new Date("2046-11-22T00:14:59Z")), { status: 0 }, "it is valid for twenty years");
});

t.test("an authority can be made in any year, with a name that fits into a certificate", async (t) => {
  const late = createTimestampAuthority({ name: "2049", now: new Date("2049-06-01T00:00:00.999Z") });
  const now = new Date("2060-01-01T00:00:00Z");
  const authority = new TimestampAuthority(late, { now: () => now }, () => serial);
  const { tokenDer = Buffer.of() } = parseTimestampResponse(
    await authority.respond(timestampRequest({ imprint, nonce: 1n })),
  );
  t.equal(verifyTimestampToken(tokenDer, { imprint, roots: [late.rootPem] }).genTime.getTime(), now.getTime());
  t.throws(() => createTimestampAuthority({ name: "", now }), { code: "malformed-proof" });
  t.throws(() => createTimestampAuthority({ name: "x".repeat(49), now }), { code: "malformed-proof" });
});

t.test("an authority can be RSA, valid for as long as is said, and asked with SM3", async (t) => {
  const rsa = createTimestampAuthority({ name: "rsa", now: NOW, profile: "rsa", years: 3 });
  const data = Buffer.from("evidence");
  const tokenDer = await stamped(rsa, NOW, data, "sm3");
  const { validUntil } = verifyTimestampToken(tokenDer, { imprint: imprintsOf(data), roots: [rsa.rootPem] });
  t.equal(validUntil.getTime(), new Date("2029-11-22T00:15:00.000Z").getTime());
  t.match(createPublicKey(rsa.certificatePem).asymmetricKeyDetails, { modulusLength: 3072 });
  const changed = Buffer.from(tokenDer);
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  t.throws(() => verifyTimestampToken(changed, { imprint: imprintsOf(data), roots: [rsa.rootPem] }), {
    message: /^signature: /,
  });
});

t.test("an answer is read strictly", async (t) => {
  const refused = (check: string) => ({ code: "timestamp-rejected", extra: { check } });
  const granted = await authorityAt(NOW).respond(request());
  t.throws(() => parseTimestampResponse(Buffer.concat([granted, Buffer.of(0)])), refused("der"));
  t.throws(() => parseTimestampResponse(derSequence(derSequence(derInteger(0)))), refused("status"), "granted nothing");
  const both = derSequence(derSequence(derInteger(2)), derSequence());
  t.throws(() => parseTimestampResponse(both), refused("status"), "refused something");
  const odd = derSequence(derSequence(derInteger(2), derSequence(derUtf8("no"), derUtf8("never")), derNamedBits(3)));
  t.match(parseTimestampResponse(odd), { statusText: ["no", "never"], failInfo: ["bit 3"] });
});

t.test("a fault of the authority itself is not hidden in a rejection", async (t) => {
  const authority = new TimestampAuthority(keys, { now: () => NOW }, () => serial);
  await t.rejects(authority.respond(null as unknown as Buffer), TypeError);
});
