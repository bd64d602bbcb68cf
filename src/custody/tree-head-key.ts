import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeOnce } from "./key-files.ts";

const fileName = "log-tree-head.pem";

/**
 * The key that signs tree heads for programs of RFC 6962 (§2.1.4: ECDSA P-256), in the directory of the log's key; made on
 * first use. It is apart from the key of the checkpoints, because RFC 6962 knows no Ed25519.
 */
export async function treeHeadKeyIn(directory: string): Promise<KeyObject> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, fileName);
  await writeOnce(path, () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  });
  return createPrivateKey(await readFile(path, "utf8"));
}
