import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import t from "tap";
import { openStore } from "#store";
import { Caller } from "../support/api.ts";
import { bareProduct } from "../support/bare-node.ts";
import { collected, digestOf, generated } from "../support/bytes.ts";
import {
  caseIdOf,
  dockseal,
  type ExportAnswer,
  exportCommand,
  linesToType,
  send,
  shell,
  untilAtRest,
  untilOver,
} from "../support/exports.ts";
import { impatient, verifyEverything } from "../support/fault.ts";
import { heldS3 } from "../support/held-s3.ts";
import { rgw } from "../support/rgw.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const MiB = 1024 ** 2;
const number = "故障〔2026〕第1号";

t.test("exports end whole, and leave nothing else, whoever is killed", async (t) => {
  const variables = { ...impatient, DOCKSEAL_EXPORT_CONCURRENCY: "2" };
  const recordings = await heldS3(t, await rgw(t));
  const stack = await startStack(t, { store: "s3", queue: "redis", s3: recordings.s3, variables });
  const { db } = stack;
  const about = { caseNumber: number, evidencePurpose: "证明现场检查过程" };
  const large = Buffer.concat(await collected(generated(96 * MiB)));
  await send(stack, large, { ...about, fileName: "large.bin" });
  await untilAtRest(stack);
  const handler = await Caller.person(stack, "handler");
  const caseId = await caseIdOf(stack, number);
  const ask = async () => (await handler.call("POST", `/api/v1/cases/${caseId}/exports`)).json<ExportAnswer>().id;
  const underWay = (id: string) =>
    until(
      "some of the recording is on its way",
      async () => {
        const row = await db.selectFrom("export").select("bytesDone").where("id", "=", id).executeTakeFirst();
        return (row?.bytesDone ?? 0) > 0;
      },
      { everyMs: 5 },
    );

  /** Copies of checkpoints are under way as well, now and then. */
  const writesOfBags = () => db.selectFrom("storeIntent").select("objectKey").where("purpose", "=", "export").execute();

  await t.test("a worker amid an export: another begins again under a fresh key", async (t) => {
    recordings.hold();
    const id = await ask();
    await underWay(id);
    await stack.work.kill9();
    recordings.letGo();
    const [before] = await writesOfBags();
    t.match(before?.objectKey, `exports/${id}/`, "its write is known");
    await stack.work.start();
    const done = await untilOver(handler, id, 120);
    t.equal(done.state, "done");
    await checkBag(t, stack, id, done);
    const { objectKey } = await db
      .selectFrom("export")
      .select("objectKey")
      .where("id", "=", id)
      .executeTakeFirstOrThrow();
    t.not(objectKey, before?.objectKey);
  });

  await t.test("two workers at one export: one of them counts, and the other leaves nothing", async (t) => {
    recordings.hold();
    const id = await ask();
    await underWay(id);
    const row = { step: "export", exportId: id, generation: 99, traceId: "test" };
    await db.insertInto("outbox").values(row).execute();
    await until(
      "both write",
      async () => (await writesOfBags()).filter(({ objectKey }) => objectKey.startsWith(`exports/${id}/`)).length === 2,
      { everyMs: 5 },
    );
    recordings.letGo();
    t.equal((await untilOver(handler, id, 120)).state, "done");
    const { rows } = await sql<{
      count: number;
    }>`SELECT count(*) FROM custody_event WHERE details->>'exportId' = ${id}`.execute(db);
    t.equal(rows[0]?.count, 1, "one event");
  });

  await t.test("a worker that is stopped amid an export: it goes on after the start", async (t) => {
    recordings.hold();
    const id = await ask();
    await underWay(id);
    await stack.work.stop();
    recordings.letGo();
    t.equal((await db.selectFrom("export").select("state").where("id", "=", id).executeTakeFirst())?.state, "running");
    await stack.work.start();
    t.equal((await untilOver(handler, id, 120)).state, "done");
  });

  await t.test("a command amid an export: only the partial folder is left, and the next run replaces it", async (t) => {
    recordings.hold();
    const out = join(stack.directory, "out");
    await mkdir(out);
    const child = spawn("env", bareProduct(["export", "--case", number, "--out", out]), {
      env: { ...process.env, NODE_V8_COVERAGE: "", ...stack.environment },
      stdio: "ignore",
    });
    const partial = join(out, `case-${number}.partial`);
    await until(
      "some of the recording is written",
      async () => {
        const [clip = ""] = await readdir(join(partial, "data/originals"));
        return (await stat(join(partial, "data/originals", clip, "large.bin"))).size > 0;
      },
      { everyMs: 5 },
    );
    const over = once(child, "exit");
    child.kill("SIGKILL");
    await over;
    recordings.letGo();
    t.strictSame(await readdir(out), [`case-${number}.partial`]);
    await exportCommand(stack, "--case", number, "--out", out);
    t.strictSame(await readdir(out), [`case-${number}`]);
    for (const line of await linesToType(join(out, `case-${number}`))) {
      t.ok(typeof (await shell(join(out, `case-${number}`), line)), line);
    }
  });

  const { differences } = await verifyEverything(stack, []);
  t.strictSame(differences, [], "log, clips and store are as they must be");
  const store = await openStore(stack.environment["DOCKSEAL_STORE_URL"] ?? "");
  const stored = (await collected(store.list("exports/"))).map(({ key }) => key).sort();
  const unfinished = await collected(store.listUnfinished("exports/"));
  await store.close();
  const known = await db.selectFrom("export").select("objectKey").orderBy("objectKey").execute();
  t.strictSame(
    stored,
    known.map(({ objectKey }) => objectKey),
    "the store holds the bags that are known, and no other",
  );
  t.strictSame(unfinished, []);

  await t.test("fsck finds nothing, and then what was changed behind the application's back", async (t) => {
    t.match((await dockseal(stack, "fsck", "--deep")).stdout, / 0 differences\n$/);
    await sql`ALTER TABLE export DISABLE TRIGGER outcome_stays`.execute(db);
    const [first, second, third] = known;
    const wrong = "0".repeat(64);
    await sql`UPDATE export SET tag_manifest_sha256 = ${wrong} WHERE object_key = ${first?.objectKey}`.execute(db);
    await sql`UPDATE export SET sha256 = ${wrong} WHERE object_key = ${second?.objectKey}`.execute(db);
    await sql`UPDATE export SET removed_at = now() WHERE object_key = ${third?.objectKey}`.execute(db);
    const { code, stdout } = await dockseal(stack, "fsck", "--deep").catch((error) => error);
    t.equal(code, 1);
    t.match(stdout, /export .*: case, clip or tagManifestSha256 are not those of case\.exported/);
    t.match(stdout, new RegExp(`stored-export +${second?.objectKey}: its bytes have the SHA-256`));
    t.match(stdout, new RegExp(`stored-object +${third?.objectKey}: .*belongs to nothing`));
    t.match(stdout, / 3 differences\n$/);
  });
});

/** The stored tar has its digest, and what it unpacks to is whole. */
async function checkBag(t: Pick<Tap, "equal" | "ok">, stack: Stack, id: string, done: ExportAnswer): Promise<void> {
  const row = await stack.db.selectFrom("export").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
  const store = await openStore(stack.environment["DOCKSEAL_STORE_URL"] ?? "");
  const ref = { key: row.objectKey ?? "", versionId: row.versionId ?? "" };
  t.equal((await digestOf(await store.get(ref))).sha256, done.sha256);
  const chunks = await collected(await store.get(ref));
  await store.close();
  const tar = spawn("tar", ["-x"], { cwd: stack.directory, stdio: ["pipe", "ignore", "inherit"] });
  const over = once(tar, "exit");
  for (const chunk of chunks) if (!tar.stdin.write(chunk)) await once(tar.stdin, "drain");
  tar.stdin.end();
  t.equal((await over)[0], 0);
  const bag = join(stack.directory, `case-${number}`);
  for (const line of await linesToType(bag)) t.ok(typeof (await shell(bag, line)), line);
  const tagManifest = await shell(bag, "sha256sum tagmanifest-sha256.txt");
  t.equal(tagManifest.slice(0, 64), done.tagManifestSha256);
}

type Tap = typeof t;
