import t from "tap";
import { createExportSigner, signDetached, verifyDetached } from "#evidence";
import { OID } from "../../src/evidence/timestamp/oids.ts";
import { parseToken } from "../../src/evidence/timestamp/token.ts";
import { extendedKeyUsage, keyUsage, party, root } from "../support/forged-timestamps.ts";
import { OpensslBench } from "../support/openssl.ts";

// What dockseal signs, the real openssl accepts; what the real openssl signs, dockseal accepts; and neither accepts
// what was changed by one byte.

const content = Buffer.from("sha256 of everything\r\nwith line ends that must stay\n");
const refused = { name: "DocksealError", code: /^(proof-rejected|malformed-proof)$/ };
const rejected = { name: "DocksealError", code: "proof-rejected" };
const flipped = (bytes: Uint8Array, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
};

/** Where bytes stand that must not change: the digest in the attributes, and the signature. */
function places(message: Buffer): Record<string, number> {
  const { signer } = parseToken(message, content);
  const signature = message.indexOf(signer.signature);
  const time = message.indexOf(signer.attributes.get(OID.signingTime) ?? Buffer.of());
  const digest = message.indexOf(signer.attributes.get(OID.messageDigest) ?? Buffer.of());
  return { signature: signature + 20, "signing time": time + 7, "message digest": digest + 9 };
}

t.test("openssl accepts what dockseal signs, without further flags, and nothing that was changed", async (t) => {
  const bench = new OpensslBench(t.testdir());
  const signer = createExportSigner({ name: "dockseal test", now: new Date(Date.now() - 60_000) });
  const other = createExportSigner({ name: "dockseal test", now: new Date(Date.now() - 60_000) });
  const message = signDetached(content, signer, new Date());
  await bench.put("x.p7s", message);
  await bench.put("file", content);
  await bench.put("root.pem", signer.rootPem);
  await bench.put("other.pem", other.rootPem);
  await bench.put("signer.pem", signer.certificatePem);
  t.ok(await bench.cmsAccepts("-in x.p7s -content file -CAfile root.pem"));
  t.match(await bench.openssl("verify -x509_strict -purpose smimesign -CAfile root.pem signer.pem"), "signer.pem: OK");
  t.match(await bench.openssl("cms -cmsout -print -inform DER -in x.p7s -noout"), /signingTime.*signingCertificateV2/s);
  t.ok(await bench.cmsAccepts("-in x.p7s -content file -CAfile root.pem -cades"), "the certificate is bound, too");

  t.notOk(await bench.cmsAccepts("-in x.p7s -content file -CAfile other.pem"), "another root");
  await bench.put("changed", flipped(content, 3));
  t.notOk(await bench.cmsAccepts("-in x.p7s -content changed -CAfile root.pem"), "another content");
  for (const [what, at] of Object.entries(places(message))) {
    await bench.put("changed.p7s", flipped(message, at));
    t.notOk(await bench.cmsAccepts("-in changed.p7s -content file -CAfile root.pem"), `openssl: ${what}`);
    t.throws(() => verifyDetached(flipped(message, at), content, { roots: [signer.rootPem] }), refused, what);
  }
  const late = `-attime ${Math.floor(Date.now() / 1000) + 21 * 365 * 86_400}`;
  t.notOk(await bench.cmsAccepts(`-in x.p7s -content file -CAfile root.pem ${late}`), "after the certificate's end");
});

t.test("dockseal accepts what openssl signs, and nothing that was changed", async (t) => {
  const bench = new OpensslBench(t.testdir({ file: content }));
  await bench.put("ca.ext", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n");
  await bench.put("leaf.ext", "keyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n");
  await bench.put("bare.ext", "subjectKeyIdentifier=hash\n");
  await bench.put("server.ext", "extendedKeyUsage=serverAuth\n");
  await bench.put("agree.ext", "keyUsage=critical,keyAgreement\n");
  await bench.openssl("ecparam -name prime256v1 -out p256");
  for (const name of ["root", "stranger"]) {
    await bench.openssl(
      `req -x509 -newkey rsa:2048 -nodes -keyout ${name}.key -out ${name}.pem -subj /CN=Root -days 10`,
    );
  }
  const issue = async (name: string, key: string, issuer: string, ext: string): Promise<void> => {
    await bench.openssl(`req -new -newkey ${key} -nodes -keyout ${name}.key -out ${name}.csr -subj /O=Test/CN=${name}`);
    await bench.openssl(
      `x509 -req -in ${name}.csr -CA ${issuer}.pem -CAkey ${issuer}.key -CAcreateserial -extfile ${ext} -days 9 -out ${name}.pem`,
    );
  };
  await issue("sub", "rsa:2048", "root", "ca.ext");
  await issue("rsa", "rsa:2048", "sub", "leaf.ext");
  await issue("ec", "ec:p256", "sub", "bare.ext");
  const roots = [(await bench.get("root.pem")).toString()];
  const stranger = [(await bench.get("stranger.pem")).toString()];
  const sign = async (name: string, options: string): Promise<Buffer> => {
    await bench.openssl(
      `cms -sign -binary -in file -signer ${name}.pem -inkey ${name}.key -certfile sub.pem -outform DER -out x.p7s ${options}`,
    );
    return bench.get("x.p7s");
  };
  for (const [name, options] of [
    ["rsa", "-cades -md sha256"],
    ["rsa", "-cades -md sha512"],
    ["ec", "-cades -md sha256"],
    ["ec", "-cades -md sha384 -nosmimecap"],
  ] as const) {
    const what = `${name} ${options}`;
    const message = await sign(name, options);
    t.ok(await bench.cmsAccepts("-in x.p7s -content file -CAfile root.pem"), `${what}: openssl itself`);
    const { signer, signingTime } = verifyDetached(message, content, { roots });
    t.match(signer, `CN=${name}`, what);
    t.ok(Math.abs(signingTime.getTime() - Date.now()) < 60_000);
    t.throws(() => verifyDetached(message, flipped(content, 0), { roots }), rejected, `${what}: another content`);
    t.throws(() => verifyDetached(message, content, { roots: stranger }), rejected, `${what}: another root`);
    for (const [part, at] of Object.entries(places(message))) {
      t.throws(() => verifyDetached(flipped(message, at), content, { roots }), refused, `${what}: ${part}`);
      await bench.put("changed.p7s", flipped(message, at));
      t.notOk(await bench.cmsAccepts("-in changed.p7s -content file -CAfile root.pem"), `${what}: ${part}, openssl`);
    }
  }
  const withContent = await sign("ec", "-cades -nodetach");
  t.throws(() => verifyDetached(withContent, content, { roots }), refused, "a signature that carries its content");
  const bare = await sign("ec", "-md sha256");
  t.throws(() => verifyDetached(bare, content, { roots }), { ...rejected, detail: /signing-certificate/ });
  const noAttributes = await sign("ec", "-noattr");
  t.throws(() => verifyDetached(noAttributes, content, { roots }), { ...rejected, detail: /signed-attributes/ });

  for (const [name, ext, detail] of [
    ["server", "server.ext", /other purposes/],
    ["agree", "agree.ext", /may not sign/],
  ] as const) {
    await issue(name, "ec:p256", "sub", ext);
    const message = await sign(name, "-cades");
    t.notOk(await bench.cmsAccepts("-in x.p7s -content file -CAfile root.pem"), `openssl: ${name}`);
    t.throws(() => verifyDetached(message, content, { roots }), { ...rejected, detail }, name);
  }
  const anchor = root({ from: new Date(0), years: 100 });
  const expired = party({
    issuer: anchor,
    from: new Date(0),
    extensions: [keyUsage(0), extendedKeyUsage(false, OID.emailProtection)],
  });
  await bench.put("old-root.pem", anchor.pem);
  await bench.put("old.pem", expired.pem);
  await bench.put("old.key", expired.key.export({ format: "pem", type: "pkcs8" }));
  const message = await sign("old", "-cades");
  t.notOk(await bench.cmsAccepts("-in x.p7s -content file -CAfile old-root.pem"), "openssl: an expired certificate");
  const detail = /certificate-validity/;
  t.throws(() => verifyDetached(message, content, { roots: [anchor.pem] }), { ...rejected, detail });
});
