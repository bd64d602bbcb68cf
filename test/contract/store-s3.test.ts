import t from "tap";
import { openStore } from "#store";
import { newBucket, rgw } from "../support/rgw.ts";
import { storeContract } from "./store.ts";

const MiB = 1024 * 1024;

t.setTimeout(300_000);

const server = await rgw(t);

t.test("the S3 store keeps the contract on a real server", async (t) => {
  const url = server.url(newBucket());
  storeContract(t, {
    open: (options) => openStore(url, { createBucket: true, ...options }),
    leastBudgetBytes: 16 * MiB,
    probe: "write-once",
  });
});
