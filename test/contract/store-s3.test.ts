import t from "tap";
import { openStore } from "#store";
import { newPart } from "../support/bytes.ts";
import { newBucket, rgw } from "../support/rgw.ts";
import { storeContract } from "./store.ts";

const MiB = 1024 * 1024;

const server = await rgw(t);

t.test("the S3 store keeps the contract on a real server", async (t) => {
  const url = server.url(newBucket());
  storeContract(t, {
    open: (options) => openStore(url, { createBucket: true, ...options }),
    leastBudgetBytes: 16 * MiB,
    probe: "write-once",
  });
});

t.test("a part is taken only if it is what its digest says", async (t) => {
  const store = await openStore(server.url(newBucket()), { createBucket: true });
  t.teardown(() => store.close());
  const key = "clips/other-digest";
  const write = { key, writeId: await store.resumable.begin(key) };
  const part = newPart(1, Buffer.from("these bytes"));
  const never = new AbortController().signal;
  const { sha256 } = newPart(1, Buffer.from("other bytes"));
  await t.rejects(store.resumable.writePart(write, { ...part, sha256 }, never), { code: "digest-differs" });
  const etag = await store.resumable.writePart(write, part, never);
  t.ok(await store.resumable.holds(write, [{ number: 1, etag }]));
  await store.discard(key);
});
