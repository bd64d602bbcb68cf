import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import t from "tap";
import { isDatabaseAway, migrate, openDatabase, speakingDatabase } from "#db";
import { curl, sendClip, someMetadata } from "../support/curl.ts";
import { freePort } from "../support/port.ts";
import { testDatabase } from "../support/postgres.ts";
import { startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

t.test("values come as they are in the database, or not at all", async (t) => {
  const { url } = await testDatabase(t);
  const db = openDatabase({ url, pool: 2, onConnectionError: (error) => t.comment(error.message) });
  t.teardown(() => db.destroy());
  const one = async (expression: string) => {
    const { rows } = await sql<{ value: unknown }>`SELECT ${sql.raw(expression)} AS value`.execute(db);
    return rows[0]?.value;
  };
  t.equal(await one("9007199254740991::int8"), Number.MAX_SAFE_INTEGER, "int8 up to 2^53 - 1 is a number");
  t.equal(await one("-9007199254740991::int8"), -Number.MAX_SAFE_INTEGER);
  for (const beyond of ["9007199254740992::int8", "-9007199254740992::int8", "9223372036854775807::int8"]) {
    await t.rejects(one(beyond), RangeError, `${beyond} is refused, not rounded`);
  }
  t.equal(await one("1"), 1, "and the connection is still good");
  const instants: [given: string, told: string][] = [
    ["2026-11-22 08:00:00.123456+00", "2026-11-22T08:00:00.123456Z"],
    ["2026-11-22 16:00:00.000001+08", "2026-11-22T08:00:00.000001Z"],
    ["2026-11-22 08:00:00+00", "2026-11-22T08:00:00Z"],
    ["0001-01-01 00:00:00+00", "0001-01-01T00:00:00Z"],
    ["9999-12-31 23:59:59.999999+00", "9999-12-31T23:59:59.999999Z"],
  ];
  for (const [given, told] of instants)
    t.equal(await one(`'${given}'::timestamptz`), told, "with its microseconds, UTC");
  const roundTrip = await sql<{ same: boolean }>`
    SELECT ${"2026-11-22T08:00:00.123456Z"}::timestamptz = '2026-11-22 08:00:00.123456+00' AS same`.execute(db);
  t.equal(roundTrip.rows[0]?.same, true, "and it goes back as it came");
  t.equal(await one("'2026-11-22'::date"), "2026-11-22", "a day is a day, in no zone");
  t.equal(await one("current_setting('timezone')"), "UTC");
  t.equal(await one("current_setting('statement_timeout')"), "30s", "no statement runs for ever");
  t.equal(await one("current_setting('idle_in_transaction_session_timeout')"), "30s", "nor does a transaction");
});

t.test("what is away is told from what is wrong", async (t) => {
  const away = { url: `postgres://x:y@127.0.0.1:${await freePort()}/z`, pool: 2, onConnectionError: () => undefined };
  const nowhere = openDatabase(away);
  t.teardown(() => nowhere.destroy());
  await t.rejects(
    speakingDatabase(() => sql`SELECT 1`.execute(nowhere)),
    { code: "database-unavailable", retryAfterSeconds: 5 },
    "nobody listens",
  );
  const { url } = await testDatabase(t);
  const db = openDatabase({ ...away, url });
  t.teardown(() => db.destroy());
  for (const wrong of ["SELECT 1 / 0", "SELECT nothing", "SELECT"]) {
    const attempt = speakingDatabase(() => sql.raw(`${wrong} FROM nowhere`).execute(db));
    await t.rejects(attempt, { code: /^4/ }, `${wrong} is a fault of the statement`);
  }
  t.notOk(isDatabaseAway(new Error("something else")) || isDatabaseAway(undefined));
});

t.test("connections that are cut, idle or busy, are replaced, and the processes go on", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres" });
  const file = join(stack.directory, "clip.bin");
  await writeFile(file, "a clip");
  const pids = [stack.serve.pid, stack.work.pid];
  for (let round = 0; round < 3; round += 1) {
    const { rows } = await sql<{ pid: number; cut: boolean }>`SELECT pid, pg_terminate_backend(pid) AS cut
      FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND application_name = 'dockseal' AND usename <> current_user`.execute(stack.db);
    // One that ended by itself between the look and the cut needs none.
    const cut = rows.filter((row) => row.cut).map(({ pid }) => pid);
    t.ok(cut.length > 0, `round ${round}: ${cut.length} connections were cut`);
    // A server that has much to do ends them late, and then under whoever was given one.
    await until("they are gone", async () => {
      const left = await sql`SELECT FROM pg_stat_activity WHERE pid = ANY (${cut}::int[])`.execute(stack.db);
      return left.rows.length === 0;
    });
    await until("ready again", async () => (await curl(`${stack.url}/readyz`)).status === 200);
  }
  t.equal((await sendClip(stack.url, stack.party.token, file, someMetadata)).status, 201, "it takes clips");
  await until("the worker seals", () =>
    stack.db.selectFrom("clip").select("id").where("state", "=", "sealed").executeTakeFirst(),
  );
  t.same([stack.serve.pid, stack.work.pid], pids, "by the same processes");
  for (const pid of pids) t.ok(process.kill(pid, 0), "which live");
  t.match(await stack.serve.log(), /a database connection broke; it is replaced/, "and say what happened");
});

t.test("migrate() says when there is no server", async (t) => {
  const db = openDatabase({
    url: `postgres://x:y@127.0.0.1:${await freePort()}/z`,
    pool: 2,
    onConnectionError: () => undefined,
  });
  t.teardown(() => db.destroy());
  await t.rejects(migrate(db), { code: "database-unavailable" });
});
