import { createHash, generateKeyPairSync, randomUUID, verify } from "node:crypto";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { signDetached, verifyDetached } from "#evidence";
import { exportSignerIn, sealKeyIn } from "#seal";

const clock = { now: () => new Date() };

t.test("what signs exports is made once, for its owner's eyes only, also when two ask at once", async (t) => {
  const keysDir = join(t.testdir(), "keys");
  const [first, second] = await Promise.all([exportSignerIn(keysDir, clock), exportSignerIn(keysDir, clock)]);
  t.same(first, second);
  t.same(await exportSignerIn(keysDir, clock), first);
  t.same(await readdir(keysDir), ["export-signer.json"], "nothing is left over");
  t.equal((await stat(join(keysDir, "export-signer.json"))).mode & 0o777, 0o600);
  const content = Buffer.from(randomUUID());
  const message = signDetached(content, first, clock.now());
  t.equal(verifyDetached(message, content, { roots: [first.rootPem] }).signer, "CN=dockseal export");
});

t.test("the key that signs originals is made once, and another kind of key is refused", async (t) => {
  const keysDir = join(t.testdir(), "keys");
  const [first, second] = await Promise.all([sealKeyIn(keysDir), sealKeyIn(keysDir)]);
  t.equal(first.hint, second.hint);
  t.equal((await sealKeyIn(keysDir)).publicPem, first.publicPem);
  t.same(await readdir(keysDir), ["seal-key.pem"], "nothing is left over");
  t.equal((await stat(join(keysDir, "seal-key.pem"))).mode & 0o777, 0o600);
  const original = Buffer.from(randomUUID());
  const signature = first.sign(createHash("sha256").update(original).digest());
  t.ok(verify("sha256", original, first.publicPem, signature), "what it signs, its public key verifies");
  t.notOk(verify("sha256", Buffer.from("other"), first.publicPem, signature));

  const otherDir = join(t.testdir(), "other");
  await mkdir(otherDir);
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
  for (const content of [p384.export({ format: "pem", type: "pkcs8" }), first.publicPem, "no key"]) {
    await writeFile(join(otherDir, "seal-key.pem"), content);
    await t.rejects(sealKeyIn(otherDir), {
      code: "configuration-invalid",
      detail: /seal-key\.pem is not a private key/,
    });
  }
});
