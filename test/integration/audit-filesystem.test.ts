import { chmod, mkdtemp, open, rm, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import type { ObjectRef } from "#store";
import { type AuditStores, ruleSuite, storeSuite } from "./audit.ts";

async function directory(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "dockseal-audit-"));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

function fileOf(url: string, { key, versionId }: ObjectRef): string {
  return join(fileURLToPath(url.replace(/\?.*/, "")), "objects", `${key}@`, `v-${versionId}`);
}

const stores: AuditStores = {
  fresh: async (t) => {
    const path = await directory(t);
    return { store: `file://${path}/primary?immutable=0`, replica: `file://${path}/replica?immutable=0` };
  },
  changeOneByte: async (url, ref) => {
    const path = fileOf(url, ref);
    await chmod(path, 0o600);
    const file = await open(path, "r+");
    try {
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 1000);
      await file.write(Buffer.of((buffer[0] ?? 0) ^ 1), 0, 1, 1000);
    } finally {
      await file.close();
    }
  },
  takeAway: (url, ref) => unlink(fileOf(url, ref)),
};
storeSuite(t, stores);
ruleSuite(t, stores);
