import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeOnce } from "#custody";
import { createExportSigner, type ExportSigner, sealKeyFacts, signDigest } from "#evidence";
import { type Clock, DocksealError } from "#kernel";

/** The key that signs originals (ECDSA P-256). */
export interface SealKey {
  /** How Sigstore bundles name it: base64 of the SHA-256 of the public key (SubjectPublicKeyInfo). */
  readonly hint: string;
  /** For trust files and `openssl dgst -verify`: SubjectPublicKeyInfo. */
  readonly publicPem: string;
  /** The signature over bytes with this SHA-256, DER (RFC 3279 §2.2.3). The same for the same digest. */
  sign(sha256: Uint8Array): Buffer;
}

/**
 * The seal key in that directory (`seal-key.pem`); made on first use.
 * @throws DocksealError `configuration-invalid` when the file holds no private key on P-256.
 */
export async function sealKeyIn(keysDir: string): Promise<SealKey> {
  const path = join(keysDir, "seal-key.pem");
  await mkdir(keysDir, { recursive: true, mode: 0o700 });
  await writeOnce(path, () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  });
  try {
    const key = createPrivateKey(await readFile(path));
    return { ...sealKeyFacts(key), sign: (sha256) => signDigest(sha256, key) };
  } catch (cause) {
    throw new DocksealError("configuration-invalid", { detail: `${path} is not a private key on P-256 in PEM`, cause });
  }
}

/** What signs exports, in that directory (`export-signer.json`); made on first use. */
export async function exportSignerIn(keysDir: string, clock: Clock): Promise<ExportSigner> {
  const path = join(keysDir, "export-signer.json");
  await mkdir(keysDir, { recursive: true, mode: 0o700 });
  await writeOnce(path, () => JSON.stringify(createExportSigner({ name: "dockseal export", now: clock.now() })));
  return JSON.parse(await readFile(path, "utf8")) as ExportSigner;
}
