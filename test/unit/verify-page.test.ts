import { execFile } from "node:child_process";
import * as node from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { createExportSigner, createTimestampAuthority, parseCertificate } from "#evidence";
import { verifyDocument } from "#verify";
import { verifyPage } from "../../deploy/dev/verify-page.ts";
import { context, der, derBits, derInteger, derOctets, derOid, derSequence } from "../../src/evidence/timestamp/der.ts";
import { distinguishedName, extension } from "../../src/evidence/timestamp/issue.ts";
import { OID } from "../../src/evidence/timestamp/oids.ts";
import { createHash } from "../../src/verify-page/hashes.ts";
import { judge } from "../../src/verify-page/judge.ts";
import { createPublicKey, KeyObject } from "../../src/verify-page/public-keys.ts";
import { settled, signatureHolds, verify } from "../../src/verify-page/signatures.ts";
import { CHECKS } from "../../src/verify-page/words.ts";
import { X509Certificate } from "../../src/verify-page/x509.ts";
import { CA, keyUsage, NOW, party } from "../support/forged-timestamps.ts";
import { sealBundle } from "../support/seal-bundle.ts";
import { FILE, sealedClip } from "../support/sealed-clip.ts";

// verify.html is src/evidence and src/verify over a stand-in for node:crypto. Here: the stand-in says what Node says.

/** The page knows what time it is. */
const anHourAgo = new Date(Date.now() - 3_600_000);

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");

t.test("docs/verify.html is what its sources make, twice the same", async (t) => {
  const page = await verifyPage();
  t.ok(page === (await readFile(join(root, "docs/verify.html"), "utf8")), "up to date (npm run generate)");
  t.ok(page === (await verifyPage()));
  t.ok(Buffer.byteLength(page) < 500_000, "small enough to go everywhere");
  t.match(page, /default-src 'none'/);
  t.notMatch(page, /(src|href)=["']?(https?:)?\/\//, "names nothing to load");
});

t.test("every test of evidence and verify comes to the same over the page's stand-in for node:crypto", async (t) => {
  const register = join(root, "test/support/page-crypto/register.ts");
  // What makes keys, signs trees or reads whole bags is not in the page.
  const others = new Set(["timestamp-authority", "log-serving", "bag"]);
  for (const room of ["evidence", "verify"]) {
    for (const name of await readdir(join(root, "test/unit", room))) {
      if (others.has(name.replace(".test.ts", ""))) continue;
      const file = join(root, "test/unit", room, name);
      await t.resolves(run(process.execPath, ["--import", register, file], { maxBuffer: 1e8 }), `${room}/${name}`);
    }
  }
});

t.test("digests are those of node:crypto, however many run at once and however they are cut", async (t) => {
  const names = ["sha1", "sha256", "sha384", "sha512", "sm3", "sha256"];
  const bytes = node.randomBytes(300_000);
  const page = names.map((name) => createHash(name));
  for (let at = 0; at < bytes.length; at += 7001) {
    for (const hash of page) hash.update(bytes.subarray(at, at + 7001));
  }
  names.forEach((name, n) => {
    t.equal(page[n]?.digest("hex"), node.createHash(name).update(bytes).digest("hex"), name);
  });
  const empty = createHash("sha256");
  t.same(empty.digest(), node.createHash("sha256").digest());
  t.throws(() => empty.digest(), /already called/);
  t.throws(() => createHash("md4"), /not supported/);
});

const spkiOf = (key: node.KeyObject): Buffer => key.export({ format: "der", type: "spki" });

t.test("WebCrypto and node:crypto take and refuse the same signatures", async (t) => {
  const pairs = [
    ["ed25519", node.generateKeyPairSync("ed25519"), [null]],
    ["P-256", node.generateKeyPairSync("ec", { namedCurve: "P-256" }), ["sha1", "sha256", "sha384", "sha512"]],
    ["P-384", node.generateKeyPairSync("ec", { namedCurve: "P-384" }), ["sha384"]],
    ["P-521", node.generateKeyPairSync("ec", { namedCurve: "P-521" }), ["sha512"]],
    ["RSA", node.generateKeyPairSync("rsa", { modulusLength: 2048 }), ["sha256", "sha384", "sha512"]],
  ] as const;
  for (const [name, { publicKey, privateKey }, algorithms] of pairs) {
    const key = new KeyObject(spkiOf(publicKey));
    for (const algorithm of algorithms) {
      const data = Buffer.from("what was signed");
      const right = node.sign(algorithm, data, privateKey);
      const flipped = (n: number) => Buffer.from(right.map((byte, at) => (at === n ? byte ^ 1 : byte)));
      const cases: [string, Buffer, Buffer][] = [
        ["right", data, right],
        ["other data", Buffer.from("something else"), right],
        ["empty", data, Buffer.of()],
        ["bytes left over", data, Buffer.concat([right, Buffer.of(0)])],
        ["cut off", data, right.subarray(0, -1)],
        ...[0, 3, 10, right.length - 1].map((n): [string, Buffer, Buffer] => [`byte ${n}`, data, flipped(n)]),
      ];
      if (name.startsWith("P-")) {
        cases.push(
          ["zeros", data, derSequence(derInteger(0), derInteger(0))],
          ["a number too large", data, derSequence(derInteger(1n << 600n), derInteger(1))],
          ["negative", data, derSequence(Buffer.of(2, 1, 0xff), derInteger(1))],
          ["three numbers", data, derSequence(derInteger(1), derInteger(1), derInteger(1))],
          ["padded", data, derSequence(Buffer.of(2, 2, 0, 1), derInteger(1))],
        );
      }
      for (const [why, about, signature] of cases) {
        const expected = node.verify(algorithm, about, publicKey, signature);
        t.equal(
          await signatureHolds({ algorithm, data: about, key, signature }),
          expected,
          `${name} ${algorithm} ${why}`,
        );
        if (why === "right") t.ok(expected);
      }
    }
  }
  const unknown = new KeyObject(spkiOf(node.generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey));
  t.notOk(await signatureHolds({ algorithm: "sha3-256", data: FILE, key: unknown, signature: Buffer.of() }));
});

t.test("a browser without Ed25519 in WebCrypto comes to the same; what else it lacks is no verdict", async (t) => {
  const { publicKey, privateKey } = node.generateKeyPairSync("ed25519");
  const key = new KeyObject(spkiOf(publicKey));
  const signature = node.sign(null, FILE, privateKey);
  const fail = (error: Error) => {
    const real = crypto.subtle.importKey;
    crypto.subtle.importKey = () => Promise.reject(error);
    t.teardown(() => {
      crypto.subtle.importKey = real;
    });
  };
  fail(new DOMException("no such algorithm", "NotSupportedError"));
  t.equal(await signatureHolds({ algorithm: null, data: FILE, key, signature }), true);
  t.equal(await signatureHolds({ algorithm: null, data: Buffer.from("x"), key, signature }), false);
  fail(new DOMException("broken", "OperationError"));
  await t.rejects(signatureHolds({ algorithm: null, data: FILE, key, signature }), { name: "OperationError" });
});

t.test("a check stops at a signature that was not looked at yet, and goes on once it was", async (t) => {
  const { publicKey, privateKey } = node.generateKeyPairSync("ed25519");
  const key = new KeyObject(spkiOf(publicKey));
  const signatures = ["a", "b"].map((text) => node.sign(null, Buffer.from(text), privateKey));
  let runs = 0;
  const check = (): boolean[] => {
    runs += 1;
    return signatures.map((signature) => verify(null, Buffer.from("a"), key, signature));
  };
  t.throws(check, { message: /waits for WebCrypto/ });
  t.same(await settled(check), [true, false]);
  t.equal(runs, 4, "once more for each question");
  await t.rejects(
    settled(() => {
      throw new TypeError("a fault");
    }),
    TypeError,
  );
});

t.test("public keys are read as Node reads them, and what is none is refused", async (t) => {
  for (const { publicKey } of [
    node.generateKeyPairSync("ec", { namedCurve: "P-256" }),
    node.generateKeyPairSync("ec", { namedCurve: "P-521" }),
    node.generateKeyPairSync("rsa", { modulusLength: 1024 }),
    node.generateKeyPairSync("ed25519"),
  ]) {
    const pem = publicKey.export({ format: "pem", type: "spki" }).toString();
    const key = createPublicKey(pem);
    t.equal(key.asymmetricKeyType, publicKey.asymmetricKeyType);
    t.equal(key.asymmetricKeyDetails.modulusLength, publicKey.asymmetricKeyDetails?.modulusLength);
    t.same(key.export({ format: "der", type: "spki" }), spkiOf(publicKey));
    t.equal(key.export({ format: "pem", type: "spki" }), pem);
    if (key.asymmetricKeyType === "ec") {
      const { crv, x, y } = publicKey.export({ format: "jwk" });
      t.same(key.export({ format: "jwk" }), { crv, x, y });
    }
  }
  const ec = spkiOf(node.generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey);
  const changed = (n: number, value: number) => Buffer.from(ec.map((byte, at) => (at === n ? value : byte)));
  const spki = (algorithm: Buffer, key: Buffer) => derSequence(algorithm, derBits(key));
  for (const [why, bad] of [
    ["a point off the curve", changed(ec.length - 1, (ec.at(-1) as number) ^ 1)],
    ["unused bits", changed(ec.length - 66, 1)],
    ["another form of point", changed(ec.length - 65, 6)],
    ["another kind", spki(derSequence(derOid("1.2.3.4")), Buffer.alloc(32))],
    ["a short key", spki(derSequence(derOid("1.3.101.112")), Buffer.alloc(31))],
    [
      "RSA of nothing",
      spki(derSequence(derOid("1.2.840.113549.1.1.1"), Buffer.of(5, 0)), derSequence(derInteger(0), derInteger(3))),
    ],
    [
      "RSA with parameters",
      spki(derSequence(derOid("1.2.840.113549.1.1.1"), Buffer.of(5, 1, 0)), derSequence(derInteger(9), derInteger(3))),
    ],
    ["no key", Buffer.of(0x30, 0)],
  ] as const) {
    t.throws(() => new KeyObject(bad), why);
  }
  t.throws(() => createPublicKey("x"));
});

t.test("certificates are read as Node reads them, and say of one another what Node says", async (t) => {
  const keyId = (byte: number) => derSequence(der(context(0), Buffer.alloc(20, byte)));
  const subjectId = (byte: number) => extension(OID.subjectKeyIdentifier, false, derOctets(Buffer.alloc(20, byte)));
  const authorityId = (value: Buffer) => extension(OID.authorityKeyIdentifier, false, value);
  const rsa = node.generateKeyPairSync("rsa", { modulusLength: 2048 });
  const issuer = party({ name: "发证机关 authority", extensions: [...CA, subjectId(1)] });
  const named = derSequence(
    der(0xa1, der(0xa4, issuer.certificate.subject)),
    der(context(2), derInteger(issuer.certificate.serial).subarray(2)),
  );
  const otherSerial = derSequence(der(0xa1, der(0xa4, issuer.certificate.subject)), der(context(2), Buffer.of(9)));
  const otherName = derSequence(
    der(0xa1, der(0xa4, distinguishedName("x"))),
    der(context(2), derInteger(issuer.certificate.serial).subarray(2)),
  );
  const tsa = createTimestampAuthority({ name: "authority", now: NOW });
  const signer = createExportSigner({ name: "signer", now: NOW });
  const certificates = [
    issuer.pem,
    party({ name: "发证机关 authority", extensions: [...CA, subjectId(2)] }).pem,
    party({
      name: "发证机关 authority",
      extensions: [keyUsage(0)],
      keys: { publicKey: issuer.certificate.x509.publicKey, privateKey: issuer.key },
    }).pem,
    party({ name: "发证机关 authority", extensions: CA, keys: rsa }).pem,
    party({ name: "signer", issuer }).pem,
    party({ name: "signer", issuer, extensions: [authorityId(keyId(1))] }).pem,
    party({ name: "signer", issuer, extensions: [authorityId(keyId(2))] }).pem,
    party({ name: "signer", issuer, extensions: [authorityId(named)] }).pem,
    party({ name: "signer", issuer, extensions: [authorityId(otherSerial)] }).pem,
    party({ name: "signer", issuer, extensions: [authorityId(otherName)] }).pem,
    party({ name: "signer", issuer, issuerName: "somebody else" }).pem,
    tsa.rootPem,
    tsa.certificatePem,
    signer.rootPem,
    signer.certificatePem,
  ].map((pem) => {
    const { der: bytes } = parseCertificate(pem);
    return { page: new X509Certificate(bytes), node: new node.X509Certificate(bytes) };
  });
  let issued = 0;
  for (const [n, subject] of certificates.entries()) {
    t.equal(subject.page.subject, subject.node.subject);
    t.same(subject.page.validFromDate, subject.node.validFromDate);
    t.same(subject.page.validToDate, subject.node.validToDate);
    t.same(subject.page.publicKey.spki, spkiOf(subject.node.publicKey));
    for (const [m, other] of certificates.entries()) {
      const expected = subject.node.checkIssued(other.node);
      if (expected) issued += 1;
      t.equal(subject.page.checkIssued(other.page), expected, `${n} issued by ${m}`);
      const signed = await settled(() => subject.page.verify(other.page.publicKey));
      t.equal(signed, subject.node.verify(other.node.publicKey), `${n} signed by ${m}`);
    }
  }
  t.ok(issued > 10, "and some did");
});

t.test("a document is compared with the original that it names, and a lone one with a lone other", async (t) => {
  const { text, file, trust } = await sealedClip({ at: anHourAgo });
  const seal = await sealBundle();
  const receipt = { name: "a.receipt.json", text };
  const right = { name: "a.mp4", facts: file };
  const wrong = { name: "b.mp4", facts: { ...file, sha256: "00".repeat(32) } };
  const verdicts = async (...given: Parameters<typeof judge>) => {
    const { documents, strays } = await judge(...given);
    return [documents.map(({ original, verdict }) => [original?.name, verdict.ok]), strays.map(({ name }) => name)];
  };
  t.same(await verdicts([receipt], [right], trust), [[["a.mp4", true]], []]);
  t.same(await verdicts([receipt], [wrong], undefined), [[["b.mp4", false]], []], "a changed file fails");
  t.same(await verdicts([receipt], [wrong, right], trust), [[["a.mp4", true]], ["b.mp4"]]);
  t.same(await verdicts([receipt], [], trust), [[[undefined, true]], []]);
  t.same(await verdicts([], [right], trust), [[], ["a.mp4"]]);
  const bundle = { name: "b.sigstore.json", text: seal.text };
  t.same(await verdicts([receipt, bundle], [right], undefined), [
    [
      ["a.mp4", true],
      [undefined, true],
    ],
    [],
  ]);
  t.same(await verdicts([{ name: "x", text: "{}" }], [right], undefined), [[["a.mp4", false]], []]);
});

t.test("the page has Chinese words for every check of a receipt and of a seal bundle", async (t) => {
  for (const { text } of [await sealedClip({ at: anHourAgo }), await sealBundle()]) {
    for (const { name } of (await verifyDocument(text)).checks) t.ok(CHECKS.has(name), name);
  }
});
