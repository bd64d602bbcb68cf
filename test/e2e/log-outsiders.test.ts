import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { sql } from "kysely";
import t, { type Test } from "tap";
import { allSigned, appendMany } from "../support/served-log.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const run = promisify(execFile);
const outsiders = join(import.meta.dirname, "../outsiders");
/** A front that hands on what the log serves, and may change the body of an answer on its way. */
async function frontOf(t: Test, stack: Stack): Promise<{ url: string; change: Map<string, (body: Buffer) => Buffer> }> {
  const change = new Map<string, (body: Buffer) => Buffer>();
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? "/";
    request(`${stack.url}${path}`, { headers: { host: "front" } }, async (answer) => {
      const body = await buffer(answer);
      outgoing.writeHead(answer.statusCode ?? 502, { "content-type": answer.headers["content-type"] });
      outgoing.end(change.get(path)?.(body) ?? body);
    }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, change };
}

const flipped =
  (at: number) =>
  (body: Buffer): Buffer => {
    const changed = Buffer.from(body);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    return changed;
  };

t.test(
  "Go's sumdb/note and sumdb/tlog verify a log of more than 70,000 entries, and refuse a changed byte",
  async (t) => {
    const stack = await startStack(t, { store: "filesystem", queue: "postgres", withoutWorker: true });
    await appendMany(stack.db, 70_000);
    await stack.work.start();
    t.equal(await allSigned(stack.db), 70_000);
    const program = join(stack.directory, "tlog-client");
    await run("go", ["build", "-o", program, "."], {
      cwd: join(outsiders, "tlog-client"),
      env: {
        ...process.env,
        GO111MODULE: "off",
        GOPATH: "/usr/share/gocode",
        GOCACHE: join(stack.directory, "go-cache"),
      },
    });
    const vkey = (await (await fetch(`${stack.url}/log/key`)).text()).trim().split("\n")[0] ?? "";
    const older: string[] = [];
    for (const { size, note } of await stack.db.selectFrom("logCheckpoint").select(["size", "note"]).execute()) {
      const path = join(stack.directory, `checkpoint-${size}`);
      await writeFile(path, note);
      older.push(path);
    }
    const client = (url: string, checkpoints: readonly string[]) =>
      run(program, [`${url}/log/`, vkey, ...checkpoints]).then(
        ({ stdout }) => ({ code: 0, said: stdout }),
        (error: { code: number; stderr: string }) => ({ code: error.code, said: error.stderr }),
      );

    const at70000 = await client(stack.url, []);
    t.equal(at70000.code, 0, at70000.said);
    for (const line of [
      "level 0 full: 273",
      "level 0 partial 112: 1",
      "level 1 full: 1",
      "level 1 partial 17: 1",
      "level 2 partial 1: 1",
      "size 70000, entries 70000, inclusions 50, consistencies 0",
    ]) {
      t.match(at70000.said, line, "the tiles of C2SP tlog-tiles' own example");
    }

    await appendMany(stack.db, 1234);
    t.equal(await allSigned(stack.db), 71_234);
    const grown = await client(stack.url, older);
    t.equal(grown.code, 0, grown.said);
    t.match(grown.said, `size 71234, entries 71234, inclusions 50, consistencies ${older.length}`);
    t.ok(older.length > 5, "there were several checkpoints on the way");

    const front = await frontOf(t, stack);
    t.equal((await client(front.url, older)).code, 0, "through the front as well");
    const hurt: [what: string, path: string, change: (body: Buffer) => Buffer][] = [
      ["tile", "/log/tile/0/100", flipped(4000)],
      ["partial tile", "/log/tile/1/001.p/22", flipped(40)],
      ["entry", "/log/tile/entries/200", flipped(5000)],
      ["size in the checkpoint", "/log/checkpoint", (body) => Buffer.from(body.toString().replace("71234", "71233"))],
      ["signature of the checkpoint", "/log/checkpoint", flipped(150)],
    ];
    for (const [what, path, change] of hurt) {
      front.change.set(path, change);
      const answer = await client(front.url, []);
      t.equal(answer.code, 1, `${what}: ${answer.said}`);
      t.match(answer.said, /^REFUSED|malformed|invalid/m);
      front.change.clear();
    }
    const forged = join(stack.directory, "forged");
    const [first = ""] = older;
    await writeFile(forged, flipped(30)(await readFile(first)));
    t.equal((await client(stack.url, [forged])).code, 1, "an older checkpoint that was never signed");
  },
);

/** Runs certspotter until it says what is waited for, and ends it. */
async function certspotter(
  stateDir: string,
  logList: string,
  until_: (said: string) => Promise<boolean>,
): Promise<string> {
  const child = spawn("certspotter", [
    ...["-logs", logList, "-state_dir", stateDir, "-watchlist", join(stateDir, "watchlist")],
    ...["-verbose", "-no_save", "-stdout", "-healthcheck", "1h"],
  ]);
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  try {
    await until("certspotter has looked at the log", () => until_(said), { everyMs: 200 });
  } catch (error) {
    throw new Error(`certspotter said:\n${said.slice(-3000)}`, { cause: error });
  } finally {
    const ended = once(child, "close");
    child.kill("SIGINT");
    await ended;
  }
  return said;
}

interface MonitorState {
  readonly verified_position: { readonly size: number };
}

t.test("certspotter follows the log, and complains after its history was rewritten in the database", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", withoutWorker: true });
  await appendMany(stack.db, 300);
  await stack.work.start();
  await allSigned(stack.db);
  const stateDir = join(stack.directory, "certspotter");
  await mkdir(stateDir);
  await writeFile(join(stateDir, "watchlist"), "nobody.example\n");
  const logList = join(stack.directory, "log-list.json");
  const list = await (await fetch(`${stack.url}/log/ct/log-list.json`)).text();
  await writeFile(logList, list);
  const verified = async (): Promise<number> => {
    const [directory = ""] = await readdir(join(stateDir, "logs"));
    const state = await readFile(join(stateDir, "logs", directory, "state.json"), "utf8");
    return (JSON.parse(state) as MonitorState).verified_position.size;
  };

  await certspotter(stateDir, logList, async () => (await verified()) === 300);
  t.equal(await verified(), 300, "every entry was fetched, and gives the signed root");

  await appendMany(stack.db, 900);
  await allSigned(stack.db);
  await certspotter(stateDir, logList, async () => (await verified()) === 1200);
  t.equal(await verified(), 1200, "growth is accepted");

  await rewriteHistory(stack);
  await appendMany(stack.db, 10);
  await allSigned(stack.db);
  const said = await certspotter(stateDir, logList, async (said) => /error verifying \S+ at tree size/.test(said));
  t.match(said, /error verifying \S+ at tree size 12\d\d: the STH root hash \([0-9a-f]{64}\) does not match/);
  t.equal(await verified(), 1200, "and nothing of it is believed");
});

/**
 * What only the owner of database, store and keys together can do: another history, signed anew with the real keys.
 */
async function rewriteHistory(stack: Stack): Promise<void> {
  await stack.work.stop();
  await stack.db.connection().execute(async (db) => {
    await sql`SET session_replication_role = replica`.execute(db);
    await sql`UPDATE custody_event SET leaf = convert_to(replace(convert_from(leaf, 'UTF8'), 'clip.viewed', 'clip.hidden'), 'UTF8')
      WHERE id = (SELECT event_id FROM log_entry WHERE index = 10)`.execute(db);
    await sql`INSERT INTO custody_pending (event_id) SELECT event_id FROM log_entry ORDER BY index`.execute(db);
    await sql`TRUNCATE log_entry, log_tile, log_checkpoint, log_checkpoint_timestamp, log_checkpoint_copy CASCADE`.execute(
      db,
    );
    await sql`SET session_replication_role = origin`.execute(db);
  });
  await rm(join(stack.environment["DOCKSEAL_KEYS_DIR"] ?? "", "log.head"), { force: true });
  await rm(join(stack.directory, "evidence", "objects", "log"), { force: true, recursive: true });
  await stack.work.start();
  await allSigned(stack.db);
}
