import { Client, RETENTION_MODES } from "minio";
import t from "tap";
import { openStore } from "#store";
import { digestOf, generated } from "../support/bytes.ts";
import { newBucket, rgw } from "../support/rgw.ts";

const server = await rgw(t);
const bucket = newBucket();
const store = await openStore(server.url(bucket), { createBucket: true });
t.teardown(() => store.close());

/** The owner of the bucket, with every right on it and a client that knows nothing of dockseal. */
const owner = new Client({
  endPoint: server.host,
  port: server.port,
  useSSL: false,
  accessKey: server.accessKey,
  secretKey: server.secretKey,
  region: "us-east-1",
});

t.test(
  "before its time nobody removes a locked version: not dockseal, not the owner, not with the bypass",
  async (t) => {
    const key = "clips/locked";
    const sizeBytes = 100_000;
    const ref = await store.put({ key, body: generated(sizeBytes), sizeBytes, signal: new AbortController().signal });
    const { versionId } = ref;
    const { until } = await store.lock(ref, new Date(Date.now() + 600_000));
    await t.rejects(store.remove(ref), { code: "object-locked" });
    t.same(await store.discard(key), { versions: 0, uploads: 0, locked: 1 });

    const denied = { code: "AccessDenied" };
    await t.rejects(owner.removeObject(bucket, key, { versionId }), denied);
    await t.rejects(owner.removeObject(bucket, key, { versionId, governanceBypass: true }), denied);
    await owner.removeObjects(bucket, [{ name: key, versionId }]); // answers 200 whatever became of each; looked at below
    for (const mode of [RETENTION_MODES.COMPLIANCE, RETENTION_MODES.GOVERNANCE]) {
      const retainUntilDate = new Date(Date.now() + 1000).toISOString();
      for (const bypass of [{}, { governanceBypass: true }]) {
        await t.rejects(owner.putObjectRetention(bucket, key, { versionId, mode, retainUntilDate, ...bypass }));
      }
    }
    await t.rejects(owner.removeBucket(bucket), { code: "BucketNotEmpty" });
    await owner.removeObject(bucket, key); // only hides it behind a delete marker
    await owner.putObject(bucket, key, Buffer.from("another"), 7); // only makes a newer version

    t.same((await store.stat(ref))?.retention, { mode: "COMPLIANCE", until }, "the lock is what it was");
    t.same(await digestOf(await store.get(ref)), await digestOf(generated(sizeBytes)), "the bytes are what they were");
    t.same(
      await store.discard(key),
      { versions: 2, uploads: 0, locked: 1 },
      "marker and newer version can be cleared away",
    );
  },
);

t.test("a listing of more versions than one answer holds is complete", async (t) => {
  const folder = "many/";
  const names = Array.from({ length: 1030 }, (_, at) => `${folder}clip-${at}`);
  const putAll = async (pending: string[]) => {
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      await owner.putObject(bucket, name, Buffer.from("x"), 1);
    }
  };
  const pending = [...names];
  await Promise.all(Array.from({ length: 8 }, () => putAll(pending)));
  const listed = new Set<string>();
  for await (const { key } of store.list(folder)) listed.add(key);
  t.equal(listed.size, names.length);
});
