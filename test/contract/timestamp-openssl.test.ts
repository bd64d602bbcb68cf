import { createHash, randomBytes } from "node:crypto";
import t, { type Test } from "tap";
import {
  BUILT_IN_POLICY,
  certificatePem,
  createTimestampAuthority,
  imprintsOf,
  parseTimestampResponse,
  TimestampAuthority,
  type TimestampProfile,
  timestampRequest,
  verifyTimestampToken,
} from "#evidence";
import { systemClock } from "#kernel";
import { builtInAuthority } from "#seal";
import { derInteger, derOid, derSequence } from "../../src/evidence/timestamp/der.ts";
import { OID } from "../../src/evidence/timestamp/oids.ts";
import {
  extendedKeyUsage,
  type InfoOptions,
  keyUsage,
  NONCE,
  POLICY,
  party,
  root,
  TSA,
  token,
  tstInfo,
} from "../support/forged-timestamps.ts";
import { OpensslBench } from "../support/openssl.ts";

// What dockseal writes, the real openssl accepts; what the real openssl writes, dockseal accepts; and what openssl
// refuses, dockseal refuses.

const data = Buffer.from("what is timestamped");
const refused = (check: string) => ({ name: "DocksealError", code: "timestamp-rejected", extra: { check } });
const imprint = createHash("sha256").update(data).digest();

/** `openssl ts` in a folder with files. */
class Bench extends OpensslBench {
  async accepts(command: string): Promise<boolean> {
    try {
      return (await this.openssl(command)).includes("Verification: OK");
    } catch (error) {
      const printed = error instanceof Error && "stdout" in error ? String(error.stdout) : "";
      if (printed.includes("Verification: FAILED")) return false;
      throw error;
    }
  }
}

for (const profile of ["ecdsa", "rsa"] as const) {
  t.test(`openssl accepts what the built-in authority (${profile}) answers to openssl's questions`, (t) =>
    answersOpenssl(t, profile),
  );
}

async function answersOpenssl(t: Test, profile: TimestampProfile): Promise<void> {
  const bench = new Bench(t.testdir({ data }));
  const keys = createTimestampAuthority({ name: "dockseal test", now: new Date(), profile });
  const authority = new TimestampAuthority(keys, { now: () => new Date() }, randomBytes);
  await bench.put("root.pem", keys.rootPem);
  await bench.put("tsa.pem", keys.certificatePem);
  t.match(await bench.openssl("verify -x509_strict -purpose timestampsign -CAfile root.pem tsa.pem"), "tsa.pem: OK");
  for (const options of [
    "-sha256 -cert",
    "-sha384 -cert",
    "-sha512 -cert",
    "-sm3 -cert",
    "-sha256 -cert -no_nonce",
    `-sha256 -cert -tspolicy ${BUILT_IN_POLICY}`,
  ]) {
    await bench.openssl(`ts -query -data data ${options} -out query`);
    await bench.put("reply", await authority.respond(await bench.get("query")));
    t.ok(await bench.accepts("ts -verify -queryfile query -in reply -CAfile root.pem"), options);
    t.ok(await bench.accepts("ts -verify -data data -in reply -CAfile root.pem"), `${options}, against the data`);
  }
  await bench.openssl("ts -query -data data -sha256 -out query");
  await bench.put("reply", await authority.respond(await bench.get("query")));
  t.notOk(
    await bench.accepts("ts -verify -queryfile query -in reply -CAfile root.pem"),
    "no certificate was asked for",
  );
  t.ok(await bench.accepts("ts -verify -queryfile query -in reply -CAfile root.pem -untrusted tsa.pem"));

  await bench.openssl("ts -query -data data -sha256 -tspolicy 1.2.3 -out query");
  await bench.put("reply", await authority.respond(await bench.get("query")));
  const answer = await bench.openssl("ts -reply -in reply -text");
  t.match(
    answer,
    /Status: Rejected\..*there is no such policy here.*not supported/s,
    "openssl reads why it was refused",
  );
}

t.test("openssl accepts a token over SM3 that dockseal asked for, and refuses it for other data", async (t) => {
  const bench = new Bench(t.testdir({ data, other: "other" }));
  const authority = await builtInAuthority(bench.dir, systemClock, { profile: "rsa", imprint: "sm3" });
  const { tokenDer, roots } = await authority.stamp(imprintsOf(data), new AbortController().signal);
  await bench.put("token", tokenDer);
  await bench.put("root.pem", roots.join(""));
  t.match(await bench.openssl("ts -reply -token_in -in token -token_out -text"), /Hash Algorithm: sm3/);
  t.ok(await bench.accepts("ts -verify -token_in -in token -data data -CAfile root.pem"));
  t.notOk(await bench.accepts("ts -verify -token_in -in token -data other -CAfile root.pem"));
});

t.test("openssl checks a renewal as a timestamp over the token before", async (t) => {
  const bench = new Bench(t.testdir({ data }));
  const authority = await builtInAuthority(bench.dir, systemClock);
  const { signal } = new AbortController();
  const first = await authority.stamp(imprintsOf(data), signal);
  const renewal = await authority.stamp(imprintsOf(first.tokenDer), signal);
  await bench.put("first", first.tokenDer);
  await bench.put("renewal", renewal.tokenDer);
  await bench.put("root.pem", authority.roots.join(""));
  t.ok(await bench.accepts("ts -verify -token_in -in renewal -data first -CAfile root.pem"));
  t.notOk(await bench.accepts("ts -verify -token_in -in renewal -data data -CAfile root.pem"));
});

t.test("openssl understands dockseal's question, and dockseal accepts openssl's answers", async (t) => {
  const bench = new Bench(t.testdir({ serial: "01" }));
  const nonce = BigInt(`0x${randomBytes(16).toString("hex")}`);
  await bench.put("query", timestampRequest({ imprint, nonce, policy: "1.2.3.4.1" }));
  t.match(await bench.openssl("ts -query -in query -text"), /Hash Algorithm: sha256.*Certificate required: yes/s);

  const ca = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
  await bench.put("ca.ext", `${ca}subjectKeyIdentifier=hash\n`);
  await bench.put("tsa.ext", "keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n");
  await bench.openssl(
    "req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -subj /O=Test/CN=Root -days 10",
  );
  const issue = async (name: string, key: string, issuer: string, ext: string): Promise<void> => {
    await bench.openssl(`req -new -newkey ${key} -nodes -keyout ${name}.key -out ${name}.csr -subj /O=Test/CN=${name}`);
    await bench.openssl(
      `x509 -req -in ${name}.csr -CA ${issuer}.pem -CAkey ${issuer}.key -CAcreateserial -extfile ${ext} -days 10 -out ${name}.pem`,
    );
  };
  await bench.openssl("ecparam -name prime256v1 -out p256");
  await issue("sub", "rsa:2048", "root", "ca.ext");
  await issue("rsa", "rsa:2048", "sub", "tsa.ext");
  await issue("ec", "ec:p256", "sub", "tsa.ext");
  const roots = [(await bench.get("root.pem")).toString()];
  const sub = (await bench.get("sub.pem")).toString();

  const configure = (signer: string, digest: string, ess: string, chain: string): string =>
    [
      "[tsa]\ndefault_tsa = one\n[one]\nserial = serial\ncrypto_device = builtin",
      `signer_cert = ${signer}.pem\nsigner_key = ${signer}.key\ncerts = sub.pem\nsigner_digest = ${digest}`,
      "default_policy = 1.2.3.4.1\ndigests = sha256\naccuracy = secs:1, millisecs:500, microsecs:100",
      `clock_precision_digits = 3\nordering = yes\ntsa_name = yes\ness_cert_id_chain = ${chain}\ness_cert_id_alg = ${ess}\n`,
    ].join("\n");
  for (const [signer, digest, ess, chain] of [
    ["rsa", "sha256", "sha256", "no"],
    ["rsa", "sha512", "sha1", "yes"],
    ["ec", "sha256", "sha512", "yes"],
    ["ec", "sha384", "sha1", "no"],
  ] as const) {
    const what = [signer, digest, ess, chain].join(" ");
    await bench.put("config", configure(signer, digest, ess, chain));
    await bench.openssl("ts -reply -config config -queryfile query -out reply");
    t.ok(await bench.accepts("ts -verify -queryfile query -in reply -CAfile root.pem"), `${what}: openssl itself`);
    const response = parseTimestampResponse(await bench.get("reply"));
    t.match(response, { status: 0, failInfo: [] });
    const tokenDer = response.tokenDer ?? Buffer.of();
    const verified = verifyTimestampToken(tokenDer, { imprint, nonce, policy: "1.2.3.4.1", roots });
    t.match(verified, { policy: "1.2.3.4.1", accuracy: { seconds: 1, millis: 500, micros: 100 } }, what);
    t.match(verified.signer, `CN=${signer}`);
    t.ok(Math.abs(verified.genTime.getTime() - Date.now()) < 60_000);
    t.throws(() => verifyTimestampToken(tokenDer, { imprint, nonce: nonce + 1n, roots }), refused("nonce"));
    t.throws(() => verifyTimestampToken(tokenDer, { imprint, roots: [sub] }), refused("chain"));
    const other = createHash("sha256").update("other").digest();
    t.throws(() => verifyTimestampToken(tokenDer, { imprint: other, roots }), refused("imprint"));
    t.throws(() => verifyTimestampToken(tokenDer, { imprint, policy: "1.2.3", roots }), refused("policy"));
  }
  const bad = configure("rsa", "sha256", "sha256", "no").replace(
    "default_policy = 1.2.3.4.1",
    "default_policy = 1.2.9",
  );
  await bench.put("config", bad);
  await bench.openssl("ts -reply -config config -queryfile query -out reply");
  t.match(parseTimestampResponse(await bench.get("reply")), {
    status: 2,
    failInfo: ["unacceptedPolicy"],
    tokenDer: undefined,
  });
});

t.test("what openssl refuses is refused", async (t) => {
  const bench = new Bench(t.testdir({ data }));
  const now = new Date();
  const anchor = root({ from: now });
  await bench.put("root.pem", anchor.pem);
  await bench.put("other.pem", root({ from: now }).pem);
  const content = tstInfo({ imprint, genTime: now });
  const signer = (...extensions: Buffer[]) => party({ issuer: anchor, from: now, extensions });
  const good = signer(...TSA);
  const goodToken = token(good, { content });
  const flipped = Buffer.from(goodToken);
  const at = flipped.indexOf(imprint);
  flipped[at] = (flipped[at] ?? 0) ^ 1;
  const [usage = Buffer.of()] = TSA;
  const cases: [why: string, check: string, der: Buffer][] = [
    [
      "another EKU",
      "extended-key-usage",
      token(signer(usage, extendedKeyUsage(true, "1.3.6.1.5.5.7.3.1")), { content }),
    ],
    [
      "EKU not critical",
      "extended-key-usage",
      token(signer(usage, extendedKeyUsage(false, OID.timeStamping)), { content }),
    ],
    [
      "one EKU more",
      "extended-key-usage",
      token(signer(usage, extendedKeyUsage(true, OID.timeStamping, "1.3.6.1.5.5.7.3.4")), { content }),
    ],
    ["key usage beyond signing", "key-usage", token(signer(keyUsage(0, 3), ...TSA.slice(1)), { content })],
    ["another imprint", "imprint", token(good, { content: tstInfo({ genTime: now }) })],
    ["a changed byte", "message-digest", flipped],
    ["version 2", "version", token(good, { content: tstInfo({ imprint, genTime: now, version: 2 }) })],
    ["no signing certificate", "signing-certificate", token(good, { content, attributes: (all) => all.slice(0, 2) })],
    ["two signers", "one-signer", token(good, { content, signers: 2 })],
    ["expired", "certificate-validity", token(party({ issuer: anchor, from: new Date(0) }), { content })],
  ];
  const verify = "ts -verify -data data -token_in -in token -CAfile root.pem";
  await bench.put("token", goodToken);
  t.ok(await bench.accepts(verify), "openssl accepts the right one");
  t.equal(verifyTimestampToken(goodToken, { imprint, roots: [anchor.pem] }).genTime.getTime(), now.getTime());
  for (const [why, check, der] of cases) {
    await bench.put("token", der);
    t.notOk(await bench.accepts(verify), `openssl: ${why}`);
    t.throws(() => verifyTimestampToken(der, { imprint, roots: [anchor.pem] }), refused(check), `dockseal: ${why}`);
  }
  // What belongs to one question openssl compares with the query.
  await bench.put("query", timestampRequest({ imprint, nonce: NONCE, policy: POLICY }));
  const toQuery = "ts -verify -queryfile query -token_in -in token -CAfile root.pem";
  const expected = { imprint, nonce: NONCE, policy: POLICY, roots: [anchor.pem] };
  await bench.put("token", goodToken);
  t.ok(await bench.accepts(toQuery));
  t.ok(verifyTimestampToken(goodToken, expected));
  const of = (different: InfoOptions) => token(good, { content: tstInfo({ imprint, genTime: now, ...different }) });
  const sm3 = { algorithm: derSequence(derOid(OID.sm3)), imprint: imprintsOf(data).sm3 };
  for (const [why, check, der] of [
    ["another nonce", "nonce", of({ rest: [derInteger(7)] })],
    ["another policy", "policy", of({ policy: "1.2.3.9" })],
    ["another algorithm of the imprint", "imprint-algorithm", of(sm3)],
  ] as const) {
    await bench.put("token", der);
    t.notOk(await bench.accepts(toQuery), `openssl: ${why}`);
    t.throws(() => verifyTimestampToken(der, expected), refused(check), `dockseal: ${why}`);
  }
  // Three things that openssl does not look at, and dockseal refuses: whether the nonce came back that was sent, where
  // there is no query; how the time compares with the clock; and bytes after the token.
  await bench.put("token", of({ rest: [derInteger(7)] }));
  t.ok(await bench.accepts(verify));
  const early = of({ genTime: new Date(now.getTime() + 3_600_000) });
  await bench.put("token", early);
  t.ok(await bench.accepts(verify));
  t.throws(() => verifyTimestampToken(early, { ...expected, between: [now, now] }), refused("time"));
  await bench.put("token", Buffer.concat([goodToken, Buffer.of(0)]));
  t.ok(await bench.accepts(verify), "see below: dockseal refuses it");

  await bench.put("token", goodToken);
  t.notOk(await bench.accepts(verify.replace("root.pem", "other.pem")), "openssl: another root");
  const other = certificatePem(root({ from: now }).certificate.der);
  t.throws(() => verifyTimestampToken(goodToken, { imprint, roots: [other] }), refused("chain"));
  const longer = Buffer.concat([goodToken, Buffer.of(0)]);
  t.throws(() => verifyTimestampToken(longer, { imprint, roots: [anchor.pem] }), refused("der"));
});
