import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import { fsck } from "#audit";
import { keysOfLog, logKeyIn } from "#custody";
import { leafHash, MerkleRoot, openCheckpoint, parseSkey, type TimestampAuthorityKeys } from "#evidence";
import { type EvidenceStore, openStore } from "#store";
import { type Trust, verifyReceipt } from "#verify";
import type { Acknowledged } from "./fault-station.ts";
import type { Stack } from "./stack.ts";
import { until } from "./until.ts";

/** Variables that let a stack notice within seconds what is overdue. */
export const impatient: Readonly<Record<string, string>> = {
  DOCKSEAL_STEP_OVERDUE_SECONDS: "5",
  DOCKSEAL_RECONCILE_SECONDS: "1",
  DOCKSEAL_UPLOAD_ABANDONED_SECONDS: "30",
};

export interface Exceptions {
  /** Clips that must be in quarantine instead of sealed. */
  readonly quarantined?: readonly string[];
  /** Of an authority that is not the built-in one. */
  readonly timestampRoots?: readonly string[];
  /** Patience until everything is sealed and swept. */
  readonly seconds?: number;
  /** Has the product read every stored object too, as `dockseal fsck --deep`. */
  readonly deep?: boolean;
}

export interface Findings {
  /** What is not as it must be, one sentence each: empty when all is well. */
  readonly differences: readonly string[];
  readonly figures: {
    readonly clips: number;
    readonly receipts: number;
    readonly storedBytes: number;
    readonly logEntries: number;
    readonly checkpoints: number;
  };
}

/**
 * Waits until the stack is at rest, then looks at all there is: nothing that was acknowledged is missing or differs,
 * every clip is sealed and its receipt holds against the sender's own digests, the log re-derives, and neither store nor
 * database holds anything that belongs to nothing.
 */
export async function verifyEverything(
  stack: Stack,
  acknowledged: readonly Acknowledged[],
  exceptions: Exceptions = {},
): Promise<Findings> {
  const differences: string[] = [];
  const wrong = (sentence: string): void => void differences.push(sentence);
  await atRest(stack, exceptions.seconds ?? 90).catch((error: Error) =>
    wrong(`${error.message} (${String(error.cause ?? "")})`),
  );
  const store = await openStore(stack.environment["DOCKSEAL_STORE_URL"] ?? "");
  try {
    const trust = await trustOf(stack, exceptions.timestampRoots);
    const quarantined = new Set(exceptions.quarantined);
    const receipts = await checkAcknowledged(stack, store, acknowledged, { trust, quarantined, wrong });
    const { clips, storedBytes } = await checkClips(stack, quarantined, wrong);
    await checkStore(stack, store, wrong);
    await checkByFsck(stack, store, { quarantined, deep: exceptions.deep ?? false, wrong });
    const { logEntries, checkpoints } = await checkLog(stack, trust, wrong);
    return { differences, figures: { clips, receipts, storedBytes, logEntries, checkpoints } };
  } finally {
    await store.close();
  }
}

/** Nothing waits any more: no step, outbox row, event, or abandoned write. */
export async function atRest({ db }: Stack, seconds: number): Promise<void> {
  const waiting = async () => {
    const { rows } = await sql<Record<"steps" | "outbox" | "events" | "unsigned" | "intents", number>>`
      SELECT (SELECT count(*) FROM clip_step WHERE state = 'pending') AS steps,
        (SELECT count(*) FROM outbox) AS outbox,
        (SELECT count(*) FROM custody_pending) AS events,
        (SELECT count(*) FROM log_entry) - (SELECT coalesce(max(size), 0) FROM log_checkpoint) AS unsigned,
        (SELECT count(*) FROM store_intent) AS intents`.execute(db);
    return rows[0] ?? { steps: -1, outbox: -1, events: -1, unsigned: -1, intents: -1 };
  };
  let last = "";
  await until(
    "everything is done and signed",
    async () => {
      const { intents: _intents, ...rest } = await waiting();
      last = JSON.stringify(rest);
      if (Object.values(rest).every((count) => Number(count) === 0)) return true;
      throw new Error(`still waiting: ${last}`);
    },
    { seconds, everyMs: 200 },
  );
  // Nobody sends or derives any more: what is left of writes was abandoned, however long ago. An hour passes.
  await until(
    "every abandoned write is swept",
    async () => {
      await sql`UPDATE store_intent SET alive_at = alive_at - interval '1 hour', swept_at = swept_at - interval '1 hour'`.execute(
        db,
      );
      // Nobody goes on with a resumable upload either.
      await sql`UPDATE upload SET expires_at = expires_at - interval '2 days' WHERE state <> 'complete'`.execute(db);
      return Number((await waiting()).intents) === 0;
    },
    { seconds, everyMs: 300 },
  );
}

/** What a verifier believes: the installation's own keys, from its key directory and not from its answers. */
async function trustOf(stack: Stack, roots?: readonly string[]): Promise<Trust> {
  const keys = stack.environment["DOCKSEAL_KEYS_DIR"] ?? "";
  const { vkey } = parseSkey((await readFile(join(keys, "log.skey"), "utf8")).trim());
  if (roots !== undefined) return { logs: [vkey], timestampRoots: roots };
  const builtIn = JSON.parse(await readFile(join(keys, "timestamp-authority.json"), "utf8")) as TimestampAuthorityKeys;
  return { logs: [vkey], timestampRoots: [builtIn.rootPem] };
}

async function checkAcknowledged(
  stack: Stack,
  store: EvidenceStore,
  acknowledged: readonly Acknowledged[],
  { trust, quarantined, wrong }: { trust: Trust; quarantined: Set<string>; wrong: (sentence: string) => void },
): Promise<number> {
  let receipts = 0;
  for (const { clipId, facts } of acknowledged) {
    const clip = await stack.db.selectFrom("clip").selectAll().where("id", "=", clipId).executeTakeFirst();
    if (clip === undefined) {
      wrong(`acknowledged clip ${clipId} is not in the database`);
      continue;
    }
    if (clip.sha256 !== facts.sha256 || clip.sizeBytes !== facts.sizeBytes) wrong(`clip ${clipId}: other digests`);
    if (quarantined.has(clipId)) continue;
    const found = await storedDigest(store, { key: clip.objectKey, versionId: clip.versionId });
    if (found !== facts.sha256) wrong(`clip ${clipId}: the store gives ${found} instead of ${facts.sha256}`);
    const answer = await fetch(`${stack.url}/api/v1/clips/${clipId}/receipt`, {
      headers: { authorization: `Bearer ${stack.party.token}` },
    });
    const text = await answer.text();
    if (answer.status !== 200) {
      wrong(`clip ${clipId}: receipt answers ${answer.status} ${text}`);
      continue;
    }
    const verdict = await verifyReceipt(text, { trust, file: facts });
    const faults = verdict.checks.filter((check) => check.status === "failed" || check.name === "log-key-trusted");
    if (!verdict.ok || verdict.clipId !== clipId || faults.some((check) => check.status !== "passed")) {
      wrong(`clip ${clipId}: receipt does not hold: ${JSON.stringify(faults)}`);
      continue;
    }
    receipts += 1;
  }
  return receipts;
}

async function storedDigest(store: EvidenceStore, ref: { key: string; versionId: string }): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of await store.get(ref)) hash.update(chunk as Buffer);
    return hash.digest("hex");
  } catch (error) {
    return `nothing (${(error as Error).message})`;
  }
}

/** Also of clips that nobody was told about. */
async function checkClips(
  { db }: Stack,
  quarantined: ReadonlySet<string>,
  wrong: (sentence: string) => void,
): Promise<{ clips: number; storedBytes: number }> {
  const clips = await db.selectFrom("clip").select(["id", "state", "sizeBytes", "kind", "quarantineReason"]).execute();
  for (const { id, state, quarantineReason } of clips) {
    const expected = quarantined.has(id) ? "quarantined" : "sealed";
    if (state !== expected) wrong(`clip ${id} is ${state} (${quarantineReason ?? ""}), not ${expected}`);
  }
  const { rows } = await sql<{ clipId: string; type: string; count: number }>`
    SELECT clip_id, type, count(*) FROM custody_event
    WHERE type IN ('clip.received', 'clip.hashed', 'clip.sealed', 'clip.seal-published', 'clip.quarantined', 'clip.derived', 'clip.unplayable')
    GROUP BY clip_id, type`.execute(db);
  const counts = new Map(rows.map(({ clipId, type, count }) => [`${clipId} ${type}`, Number(count)]));
  const one = (clipId: string, ...types: string[]): void => {
    const sum = types.reduce((count, type) => count + (counts.get(`${clipId} ${type}`) ?? 0), 0);
    if (sum !== 1) wrong(`clip ${clipId} has ${sum} events ${types.join(" or ")}`);
  };
  for (const { id, sizeBytes, kind } of clips) {
    one(id, "clip.received");
    if (quarantined.has(id)) {
      one(id, "clip.quarantined");
      continue;
    }
    one(id, "clip.hashed");
    one(id, "clip.sealed");
    // the senders of these tests record noise: only what is short has a digest that is not published
    if (sizeBytes >= 65_536 && kind !== "text") one(id, "clip.seal-published");
    one(id, "clip.derived", "clip.unplayable");
  }
  const failed = await db.selectFrom("clipStep").selectAll().where("state", "=", "failed").execute();
  for (const { clipId, step, lastError } of failed) {
    if (!quarantined.has(clipId)) wrong(`step ${step} of clip ${clipId} failed: ${lastError}`);
  }
  return { clips: clips.length, storedBytes: clips.reduce((sum, clip) => sum + clip.sizeBytes, 0) };
}

/** Rows and objects are the same set, version by version; quarantined clips may have lost theirs. */
async function checkStore({ db }: Stack, store: EvidenceStore, wrong: (sentence: string) => void): Promise<void> {
  const open = await db.selectFrom("upload").select("id").where("state", "=", "receiving").execute();
  for (const { id } of open) wrong(`upload ${id} is neither complete nor over`);
  const lost = await db
    .selectFrom("clip")
    .select("objectKey")
    .where("quarantineReason", "=", "the stored object is missing")
    .execute();
  const mayMiss = new Set(lost.map((row) => row.objectKey));
  for (const [prefix, table] of [
    ["originals/", "clip"],
    ["derivatives/", "derivative"],
  ] as const) {
    const rows = await db.selectFrom(table).select(["objectKey", "versionId"]).execute();
    // Where repairs put the bytes of clips: the damaged ones stay beside them.
    if (table === "clip")
      rows.push(...(await db.selectFrom("clipRepair").select(["objectKey", "versionId"]).execute()));
    const known = new Set(rows.map(({ objectKey, versionId }) => `${objectKey} ${versionId}`));
    const stored = new Set<string>();
    for await (const { key, versionId } of store.list(prefix)) {
      stored.add(`${key} ${versionId}`);
      if (!known.has(`${key} ${versionId}`)) wrong(`object ${key} version ${versionId} belongs to no ${table}`);
    }
    for (const { objectKey, versionId } of rows) {
      if (stored.has(`${objectKey} ${versionId}`) || mayMiss.has(objectKey)) continue;
      wrong(`${table} ${objectKey} version ${versionId} is not in the store`);
    }
    for await (const { key } of store.listUnfinished(prefix)) wrong(`an unfinished upload is left: ${key}`);
  }
}

/** What the product itself finds; quarantined clips may have lost their objects. */
async function checkByFsck(
  stack: Stack,
  store: EvidenceStore,
  { quarantined, deep, wrong }: { quarantined: ReadonlySet<string>; deep: boolean; wrong: (sentence: string) => void },
): Promise<void> {
  const { db, environment } = stack;
  const [{ vkey } = { vkey: "" }] = await keysOfLog(db);
  const logKey = await logKeyIn(environment["DOCKSEAL_KEYS_DIR"] ?? "", vkey.split("+")[0] ?? "");
  const clips = await db.selectFrom("clip").select(["id", "objectKey"]).execute();
  const excused = new Set(clips.filter(({ id }) => quarantined.has(id)).map(({ objectKey }) => objectKey));
  const deps = { db, store, storeUrl: environment["DOCKSEAL_STORE_URL"] ?? "", logKey, deep };
  await fsck(deps, ({ kind, subject, detail }) => {
    if (kind !== "stored-original" || !excused.has(subject)) wrong(`fsck: ${kind} ${subject}: ${detail}`);
  });
}

/** Every event stands in the log exactly once, and every checkpoint has the root of the leaves before it. */
async function checkLog(
  { db }: Stack,
  trust: Trust,
  wrong: (sentence: string) => void,
): Promise<{ logEntries: number; checkpoints: number }> {
  const entries = await db
    .selectFrom("logEntry")
    .innerJoin("custodyEvent", "custodyEvent.id", "logEntry.eventId")
    .select(["logEntry.index", "logEntry.leafHash", "custodyEvent.leaf", "custodyEvent.id"])
    .orderBy("logEntry.index")
    .execute();
  const checkpoints = await db.selectFrom("logCheckpoint").select(["size", "root", "note"]).orderBy("size").execute();
  const events = await db
    .selectFrom("custodyEvent")
    .select(({ fn }) => fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  if (Number(events.count) !== entries.length)
    wrong(`${events.count} events, but ${entries.length} entries in the log`);
  if (new Set(entries.map((entry) => entry.id)).size !== entries.length) wrong("an event stands in the log twice");
  const rootAt = new Map<number, string>();
  const tree = new MerkleRoot();
  for (const [at, { index, leaf, leafHash: noted }] of entries.entries()) {
    if (index !== at) wrong(`entry ${at} of the log has the index ${index}`);
    const hash = leafHash(leaf);
    if (!hash.equals(noted)) wrong(`the leaf of entry ${index} does not have its hash`);
    tree.append(hash);
    rootAt.set(at + 1, tree.root().toString("hex"));
  }
  for (const { size, root, note } of checkpoints) {
    const opened = openCheckpoint(note, trust.logs);
    const same = opened.size === size && Buffer.from(opened.root).equals(root);
    if (!same || rootAt.get(size) !== root.toString("hex")) wrong(`checkpoint of size ${size} has another root`);
  }
  return { logEntries: entries.length, checkpoints: checkpoints.length };
}
