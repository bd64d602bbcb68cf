import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { lastCheckpoint, openAlarms } from "#custody";
import { pause } from "#kernel";
import { appendSome, logDifferences, openLogDatabase, storeUrlIn, testLog, testOrigin } from "../support/log.ts";
import { testDatabase } from "../support/postgres.ts";
import { appRoleUrl, Process } from "../support/stack.ts";
import { until } from "../support/until.ts";

t.test("three work processes and eight writers at once, one of them killed: one tree without a gap", async (t) => {
  const { url, db, key, directory } = await testLog(t);
  const appUrl = await appRoleUrl(db, url);
  await mkdir(join(directory, "logs"));
  const environment = {
    DOCKSEAL_DATABASE_URL: appUrl,
    DOCKSEAL_QUEUE_URL: (await testDatabase(t)).url,
    DOCKSEAL_STORE_URL: storeUrlIn(directory),
    DOCKSEAL_KEYS_DIR: key.directory,
    DOCKSEAL_LOG_ORIGIN: testOrigin,
    DOCKSEAL_SCRATCH_DIR: join(directory, "scratch"),
    DOCKSEAL_SANDBOX: "limits",
    DOCKSEAL_CHECKPOINT_ANCHOR_SECONDS: "1",
  };
  const [first, second, third] = [1, 2, 3].map(() => new Process("work", environment, directory)) as [
    Process,
    Process,
    Process,
  ];
  t.teardown(() => Promise.all([first, second, third].map((process) => process.stop())));
  await Promise.all([first.start(), second.start(), third.start()]);

  const app = openLogDatabase(t, appUrl, 8);
  const promised: string[] = [];
  const writing = new AbortController();
  const writers = Array.from({ length: 8 }, async (_, at) => {
    while (!writing.signal.aborted) {
      promised.push(...(await appendSome(app, 1 + (at % 3))));
      await pause(2);
    }
  });
  const signed = async () => (await lastCheckpoint(db))?.size ?? 0;
  const anchored = () => db.selectFrom("logCheckpointTimestamp").selectAll().execute();
  await until("the log grows", async () => (await signed()) > 200);
  await first.kill9();
  const atKill = await signed();
  await until("the others go on", async () => (await signed()) > atKill + 200);
  await first.start();
  await until("copies are made meanwhile", async () => (await anchored()).length >= 2);
  writing.abort();
  await Promise.all(writers);
  await until("all is signed", async () => (await signed()) === promised.length);
  await until("the last one is timestamped", async () =>
    (await anchored()).some(({ size }) => size === promised.length),
  );
  await Promise.all([first, second, third].map((process) => process.stop()));

  t.same(await logDifferences(db, [key.vkey], promised), []);
  t.same(await openAlarms(db), []);
  const copies = await db.selectFrom("logCheckpointCopy").selectAll().execute();
  t.equal(new Set(copies.map(({ size, part }) => `${size} ${part}`)).size, copies.length);
  t.notMatch(await first.log(), /sequencing failed/, "nobody stood in another's way");
});
