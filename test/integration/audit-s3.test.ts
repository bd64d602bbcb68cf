import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import type { ObjectRef } from "#store";
import { newBucket, ownRgw } from "../support/rgw.ts";
import { storeSuite } from "./audit.ts";

const run = promisify(execFile);

// No call of S3 changes what is under lock: the objects are changed in the cluster behind the gateway, as rot would.
const directory = await mkdtemp(join(tmpdir(), "dockseal-audit-rgw-"));
t.teardown(() => rm(directory, { recursive: true, force: true }));
const server = await ownRgw(t, directory);
const rados = (...args: string[]) =>
  run("rados", ["-c", join(directory, "ceph.conf"), "-p", "default.rgw.buckets.data", ...args], { timeout: 60_000 });

/** The object of the cluster that holds the first bytes of a version. */
async function radosObject({ key, versionId }: ObjectRef): Promise<string> {
  const { stdout } = await rados("ls");
  const found = stdout.split("\n").filter((name) => name.includes(versionId) && name.endsWith(key));
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${key} ${versionId}: ${found.join(", ")}`);
  return found[0];
}

storeSuite(t, {
  fresh: async () => ({ store: server.url(newBucket()), replica: server.url(newBucket()) }),
  changeOneByte: async (_url, ref) => {
    const name = await radosObject(ref);
    const file = join(directory, "object");
    await rados("get", name, file);
    const bytes = await readFile(file);
    bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    await writeFile(file, bytes);
    await rados("put", name, file);
  },
  takeAway: async (_url, ref) => {
    await rados("rm", await radosObject(ref));
  },
});
