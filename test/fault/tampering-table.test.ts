import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, open, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { sql } from "kysely";
import t from "tap";
import { fsck } from "#audit";
import { type Finding, logKeyIn } from "#custody";
import { openStore } from "#store";
import { Caller } from "../support/api.ts";
import { bareProduct } from "../support/bare-node.ts";
import { sendClip } from "../support/curl.ts";
import { sample } from "../support/derive-media.ts";
import { allSigned } from "../support/served-log.ts";
import { startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

// One clip of everything, and then nobody is at work any more: what changes from here on changes behind dockseal's back.
const stack = await startStack(t, {
  store: "filesystem",
  queue: "postgres",
  variables: { DOCKSEAL_CHECKPOINT_ANCHOR_SECONDS: "10" },
});
const { db } = stack;
const sent = await sendClip(stack.url, stack.party.token, await sample(stack.directory, "ready.mp4"), {
  recorderSerial: "TAMPER-0001",
  collectorNumber: "37150001",
  fileName: "ready.mp4",
  capturedAt: "2026-11-21T09:30:00+08:00",
  caseNumber: "甲〔2026〕1号",
  evidencePurpose: "现场",
  place: { text: "甲地" },
});
const { id: clipId } = sent.json<{ id: string }>();
const handler = await Caller.person(stack, "handler");
const bound = await until("the clip is sealed, derived and bound", async () => {
  const clip = (await handler.call("GET", `/api/v1/clips/${clipId}`)).json<{
    state: string;
    playable: boolean | null;
    bindings: { id: string }[];
  }>();
  return clip.state === "sealed" && clip.playable !== null && clip.bindings[0];
});
await handler.call(
  ...([
    "PATCH",
    `/api/v1/bindings/${bound.id}`,
    { capturePlace: "乙地", reason: "写错" },
    "-H",
    'if-match: "1"',
  ] as const),
);
await allSigned(db);
// The newest one: after it nothing is left to copy, and nobody is stopped in the midst of that.
await until("the last checkpoint is copied under lock, with its timestamp", async () => {
  const { rows } = await sql<{ part: string }>`SELECT part FROM log_checkpoint_copy WHERE locked_until IS NOT NULL
    AND size = (SELECT max(size) FROM log_checkpoint) AND size = (SELECT count(*) FROM custody_event)`.execute(db);
  return rows.length === 2;
});
await stack.work.stop();
await stack.serve.stop();

const storeUrl = stack.environment["DOCKSEAL_STORE_URL"] ?? "";
const store = await openStore(storeUrl);
t.teardown(() => store.close());
const origin = (await db.selectFrom("logKey").select("vkey").executeTakeFirstOrThrow()).vkey.split("+")[0] ?? "";
const logKey = await logKeyIn(stack.environment["DOCKSEAL_KEYS_DIR"] ?? "", origin);

async function look(deep = false): Promise<{ findings: Finding[]; figures: Readonly<Record<string, number>> }> {
  const findings: Finding[] = [];
  const figures = await fsck({ db, store, storeUrl, logKey, deep }, (finding) => void findings.push(finding));
  return { findings, figures };
}

async function command(...options: string[]): Promise<{ code: number | null; lines: Record<string, unknown>[] }> {
  const env = { ...process.env, NODE_V8_COVERAGE: "", ...stack.environment };
  const child = spawn("env", bareProduct(["fsck", "--json", ...options]), {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit") as Promise<[number | null]>]);
  const lines = output.split("\n").filter((line) => line !== "");
  return { code, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

/** As the owner of the tables could: without triggers, and without foreign keys. */
async function asOwner(...statements: string[]): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`SET LOCAL session_replication_role = replica`.execute(tx);
    for (const statement of statements) await sql.raw(statement).execute(tx);
  });
}

t.test("nothing was changed: clean, and everything was looked at", async (t) => {
  const { findings, figures } = await look(true);
  t.same(findings, []);
  const count = async (table: string): Promise<number> => {
    const { rows } = await sql<{ count: number }>`SELECT count(*)::int AS count FROM ${sql.table(table)}`.execute(db);
    return rows[0]?.count ?? -1;
  };
  t.same(figures["entries"], await count("custody_event"));
  t.same(figures["checkpoints"], await count("log_checkpoint"));
  t.same(figures["objects"], 1 + (await count("derivative")) + (await count("log_checkpoint_copy")));
  t.match(figures, { clips: 1, cases: 1, waiting: 0 });
  const { code, lines } = await command("--deep");
  t.equal(code, 0, "the command ends with 0");
  t.match(lines, [{ findings: 0, figures }]);
});

const flip = (column: string, at: number) => `${column} = set_byte(${column}, ${at}, get_byte(${column}, ${at}) # 1)`;
const digit = (column: string) =>
  `${column} = overlay(${column} PLACING (CASE left(${column}, 1) WHEN '0' THEN '1' ELSE '0' END) FROM 1)`;
const received = "type = 'clip.received'";

/** What is changed in which rows, and the kinds that fsck must name. */
const rows: readonly [what: string, table: string, where: string, change: string, kinds: readonly string[]][] = [
  ["a clip's digest", "clip", "true", digit("sha256"), ["clip"]],
  ["a clip's size", "clip", "true", "size_bytes = size_bytes + 1", ["clip"]],
  ["a clip's SM3", "clip", "true", digit("sm3"), ["clip"]],
  ["a clip's name", "clip", "true", "file_name = 'other.mp4'", ["clip"]],
  ["a clip's collector", "clip", "true", "collector_number = '37150002'", ["clip"]],
  ["a clip's place", "clip", "true", "place_text = '乙地'", ["clip"]],
  ["what the station said", "clip", "true", `metadata = metadata || '{"collectorNumber":"2"}'`, ["clip"]],
  ["when a clip was recorded", "clip", "true", "captured_at = captured_at + interval '1 hour'", ["clip"]],
  ["when a clip arrived", "clip", "true", "received_at = received_at - interval '1 day'", ["clip"]],
  ["when a clip was sealed", "clip", "true", "sealed_at = sealed_at - interval '1 day'", ["clip"]],
  ["how long a clip is kept", "clip", "true", "retained_until = retained_until - interval '1 hour'", ["clip"]],
  ["that a clip is bound", "clip", "true", "bound = false", ["binding"]],
  ["a clip's state", "clip", "true", "state = 'hashed'", ["clip"]],
  ["where a clip lies", "clip", "true", "version_id = version_id || '0'", ["clip", "stored-original", "stored-object"]],
  ["that a clip can be shown", "clip", "true", "playable = false", ["clip"]],
  ["what a clip shows", "clip", "true", `media_facts = media_facts || '{"width":1}'`, ["clip"]],
  ["whose clip it is", "recorder", "true", "serial = 'TAMPER-0002'", ["clip"]],
  [
    "an event's details",
    "custody_event",
    received,
    `details = details || '{"sizeBytes":1}'`,
    ["custody-event", "clip"],
  ],
  ["an event's salt", "custody_event", received, digit("salt"), ["custody-event"]],
  ["an entry", "custody_event", received, flip("leaf", 30), ["log-entry", "log-tile", "log-checkpoint"]],
  [
    "the published seal",
    "custody_event",
    "type = 'clip.seal-published'",
    flip("leaf", 90),
    ["log-entry", "custody-event"],
  ],
  ["an entry's hash", "log_entry", "index = 1", flip("leaf_hash", 0), ["log-entry"]],
  ["a tile", "log_tile", "true", flip("hashes", 33), ["log-tile"]],
  [
    "a checkpoint's root",
    "log_checkpoint",
    "size = (SELECT max(size) FROM log_checkpoint)",
    flip("root", 0),
    ["log-checkpoint"],
  ],
  [
    "a checkpoint's note",
    "log_checkpoint",
    "size = (SELECT max(size) FROM log_checkpoint_copy)",
    "note = replace(note, 'a', 'b')",
    ["log-checkpoint", "log-timestamp", "stored-checkpoint"],
  ],
  ["a checkpoint's timestamp", "log_checkpoint_timestamp", "true", flip("token", 90), ["log-timestamp"]],
  ["a seal manifest", "seal_manifest", "true", flip("manifest", 90), ["seal"]],
  ["a token", "seal_timestamp", "true", flip("token", 200), ["seal"]],
  ["a token's time", "seal_timestamp", "true", "generated_at = generated_at + interval '1 second'", ["seal"]],
  ["a token's root", "seal_timestamp", "true", "roots = ARRAY[replace(roots[1], 'M', 'N')]", ["seal"]],
  ["that a token is independent", "seal_timestamp", "true", "independent = NOT independent", ["seal"]],
  ["a published signature", "seal_bundle", "true", flip("signature", 20), ["seal-bundle"]],
  ["a published signature's token", "seal_bundle", "true", flip("token", 200), ["seal-bundle"]],
  ["a derivative's digest", "derivative", "role = 'playback'", digit("sha256"), ["derivative"]],
  ["a derivative's arguments", "derivative", "role = 'playback'", `arguments = '["-i"]'`, ["derivative"]],
  ["a derivative's original", "derivative", "role = 'poster'", digit("original_sha256"), ["derivative"]],
  ["a binding's place", "binding", "revision = 2", "capture_place = '丙地'", ["binding"]],
  ["who made a binding", "binding", "revision = 2", "made_by = 'system:bind'", ["binding"]],
  ["a binding that is taken back", "binding", "revision = 2", "withdrawn = true", ["binding"]],
  ["a case's number", "case_file", "true", "number = '甲〔2026〕2号'", ["case"]],
];

for (const [what, table, where, change, kinds] of rows) {
  t.test(`changed behind the back, in the database: ${what}`, async (t) => {
    await asOwner(`CREATE TABLE kept_aside AS SELECT * FROM ${table} WHERE ${where}`);
    await asOwner(`UPDATE ${table} SET ${change} WHERE ${where}`);
    const { findings } = await look();
    await asOwner(
      `DELETE FROM ${table} WHERE ${where}`,
      `INSERT INTO ${table} SELECT * FROM kept_aside`,
      "DROP TABLE kept_aside",
    );
    for (const kind of kinds) {
      t.ok(
        findings.some((finding) => finding.kind === kind),
        `${kind} is named`,
        { findings },
      );
    }
  });
}

/** Rows that are gone altogether, with what they say. */
const gone: readonly [what: string, table: string, where: string, kinds: readonly string[]][] = [
  ["a clip", "clip", "true", ["clip", "stored-object"]],
  ["an event", "custody_event", received, ["log-entry", "clip"]],
  ["a manifest", "seal_manifest", "true", ["seal"]],
  ["a token", "seal_timestamp", "true", ["seal"]],
  ["a published signature", "seal_bundle", "true", ["seal-bundle"]],
  ["a derivative", "derivative", "role = 'poster'", ["clip", "stored-object"]],
  ["a revision of a binding", "binding", "revision = 1", ["binding"]],
  ["a case", "case_file", "true", ["case"]],
  [
    "a checkpoint that was copied",
    "log_checkpoint",
    "size = (SELECT max(size) FROM log_checkpoint_copy)",
    ["stored-checkpoint"],
  ],
];

for (const [what, table, where, kinds] of gone) {
  t.test(`removed behind the back, from the database: ${what}`, async (t) => {
    await asOwner(
      `CREATE TABLE kept_aside AS SELECT * FROM ${table} WHERE ${where}`,
      `DELETE FROM ${table} WHERE ${where}`,
    );
    const { findings } = await look();
    await asOwner(`INSERT INTO ${table} SELECT * FROM kept_aside`, "DROP TABLE kept_aside");
    for (const kind of kinds) {
      t.ok(
        findings.some((finding) => finding.kind === kind),
        `${kind} is named`,
        { findings },
      );
    }
  });
}

async function fileOf(table: "clip" | "derivative" | "logCheckpointCopy"): Promise<{ key: string; path: string }> {
  const { objectKey: key, versionId } = await db
    .selectFrom(table)
    .select(["objectKey", "versionId"])
    .orderBy("objectKey")
    .limit(1)
    .executeTakeFirstOrThrow();
  return { key, path: join(stack.directory, "evidence/objects", `${key}@`, `v-${versionId}`) };
}

const objects = [
  ["clip", "stored-original"],
  ["derivative", "stored-derivative"],
  ["logCheckpointCopy", "stored-checkpoint"],
] as const;
for (const [table, kind] of objects) {
  t.test(`changed behind the back, in the store: one byte of a ${kind}`, async (t) => {
    const { key, path } = await fileOf(table);
    await chmod(path, 0o600);
    const change = async (): Promise<void> => {
      const file = await open(path, "r+");
      try {
        const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 20);
        await file.write(Buffer.of((buffer[0] ?? 0) ^ 1), 0, 1, 20);
      } finally {
        await file.close();
      }
    };
    await change();
    const { findings } = await look(true);
    const shallow = (await look(false)).findings;
    await change();
    t.match(findings, [{ kind, subject: key, detail: /SHA-256/ }]);
    t.equal(shallow.length, kind === "stored-checkpoint" ? 1 : 0, "what is small is always read, the rest with --deep");
  });

  t.test(`removed behind the back, from the store: a ${kind}`, async (t) => {
    const { key, path } = await fileOf(table);
    await rename(path, `${path}.away`);
    const { findings } = await look();
    await rename(`${path}.away`, path);
    t.match(findings, [{ kind, subject: key, detail: /not in the store/ }]);
  });
}

t.test("an object that nobody knows is named, and one that is under way is not", async (t) => {
  const key = `originals/${clipId.slice(0, 8)}/stranger`;
  const body = (async function* () {
    yield Buffer.from("stranger");
  })();
  await store.put({ key, body, sizeBytes: 8, signal: new AbortController().signal });
  t.match((await look()).findings, [{ kind: "stored-object", subject: key }]);
  await asOwner(`INSERT INTO store_intent (object_key, purpose) VALUES ('${key}', 'original')`);
  t.same((await look()).findings, []);
  await asOwner(`DELETE FROM store_intent`);
  const { code, lines } = await command();
  t.equal(code, 1, "the command ends with 1");
  t.match(lines, [{ kind: "stored-object", subject: key, detail: String }, { findings: 1 }]);
  await store.discard(key);
});

t.test("the head beside the log's key is compared as well", async (t) => {
  const path = join(logKey.directory, "log.head");
  await rename(path, `${path}.away`);
  await writeFile(path, "no note\n");
  const { findings } = await look();
  await rename(`${path}.away`, path);
  t.match(findings, [{ kind: "log-head", subject: path }]);
});

t.test("everything is as it was: clean", async (t) => {
  t.same((await look(true)).findings, []);
});
