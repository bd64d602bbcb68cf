import { type RawBuilder, sql } from "kysely";
import type { Report } from "#custody";
import { isProblem } from "#kernel";
import { readBack } from "#seal";
import type { ObjectRef } from "#store";
import type { FsckDependencies } from "./fsck.ts";

interface Kept {
  readonly objectKey: string;
  readonly versionId: string;
  readonly sizeBytes: number;
  /** Hex. */
  readonly sha256: string;
  /** Null: it needs no lock. */
  readonly lockedUntil: string | null;
}

/** What must be in the store, by the database. Whoever adds a table that names objects adds a line. */
const kept: Readonly<Record<string, { readonly rows: RawBuilder<Kept>; readonly alwaysRead?: true }>> = {
  "stored-original": {
    rows: sql`SELECT place.object_key, place.version_id, size_bytes, sha256, retained_until AS locked_until
      FROM clip JOIN clip_location AS place ON place.clip_id = clip.id`,
  },
  // A derivative is made again from its original: no lock is set for it, and a damaged one was replaced.
  "stored-derivative": {
    rows: sql`SELECT DISTINCT ON (clip_id, role) object_key, version_id, size_bytes, sha256, NULL::timestamptz AS locked_until
      FROM derivative ORDER BY clip_id, role, revision DESC`,
  },
  "stored-export": {
    rows: sql`SELECT object_key, version_id, size_bytes, sha256, NULL::timestamptz AS locked_until FROM export
      WHERE state = 'done' AND removed_at IS NULL`,
  },
  // A copy of a checkpoint is small, and has the bytes of its row.
  "stored-checkpoint": {
    rows: sql`SELECT object_key, version_id, length(bytes)::bigint AS size_bytes,
        encode(sha256(bytes), 'hex') AS sha256, locked_until
      FROM (SELECT copy.*, CASE part WHEN 'note' THEN convert_to(note, 'UTF8') ELSE token END AS bytes
        FROM log_checkpoint_copy AS copy LEFT JOIN log_checkpoint USING (size)
        LEFT JOIN log_checkpoint_timestamp USING (size)) AS part`,
    alwaysRead: true,
  },
};

/** Every table that knows keys of the store; without a version: whoever is at it may write one. */
const known = [
  sql`SELECT object_key, version_id FROM clip`,
  sql`SELECT object_key, version_id FROM clip_repair`,
  sql`SELECT object_key, version_id FROM derivative`,
  sql`SELECT object_key, version_id FROM export WHERE removed_at IS NULL`,
  sql`SELECT object_key, version_id FROM log_checkpoint_copy`,
  sql`SELECT object_key, NULL AS version_id FROM copy_task`,
  sql`SELECT object_key, NULL AS version_id FROM store_intent`,
];

const prefixes = ["originals/", "derivatives/", "exports/", "log/checkpoints/"];
const rowsAtOnce = 500;

/** Compares the store with the database in both directions; `deep` reads every object as well. */
export async function fsckStore(deps: FsckDependencies, report: Report): Promise<{ objects: number }> {
  let objects = 0;
  for (const [kind, { rows: query, alwaysRead }] of Object.entries(kept)) {
    for (let after: string | undefined = ""; after !== undefined; ) {
      const { rows }: { rows: Kept[] } = await sql<Kept>`SELECT * FROM (${query}) AS kept
        WHERE object_key > ${after} ORDER BY object_key LIMIT ${rowsAtOnce}`.execute(deps.db);
      for (const row of rows) {
        const differences = await differencesOf(deps, row, deps.deep || alwaysRead === true);
        // What was replaced or removed while it was looked at is no difference.
        if (differences.length === 0 || !(await isKept(deps, query, row))) continue;
        for (const detail of differences) report({ kind, subject: row.objectKey, detail });
      }
      objects += rows.length;
      after = rows.length < rowsAtOnce ? undefined : rows.at(-1)?.objectKey;
    }
  }
  for (const prefix of prefixes) await checkPrefix(deps, prefix, report);
  return { objects };
}

async function isKept({ db }: FsckDependencies, query: RawBuilder<Kept>, row: Kept): Promise<boolean> {
  const { rows } = await sql`SELECT FROM (${query}) AS kept
    WHERE object_key = ${row.objectKey} AND version_id = ${row.versionId}`.execute(db);
  return rows.length > 0;
}

/** In what an object is not what its row says. @param read also reads and hashes it. */
async function differencesOf({ store, storeUrl }: FsckDependencies, row: Kept, read: boolean): Promise<string[]> {
  const { objectKey: key, versionId, sizeBytes, sha256, lockedUntil } = row;
  const facts = await store.stat({ key, versionId });
  if (facts === undefined) return [`version ${versionId} is not in the store`];
  const differences: string[] = [];
  if (facts.sizeBytes !== sizeBytes) differences.push(`has ${facts.sizeBytes} bytes instead of ${sizeBytes}`);
  const { mode, until } = facts.retention ?? {};
  // What was recorded is what the store said when it was locked; a lock is only ever extended.
  const held = mode === "COMPLIANCE" && until !== undefined && until >= new Date(lockedUntil ?? 0);
  if (lockedUntil !== null && !held) {
    differences.push(
      `its lock is ${mode ?? "none"} until ${until?.toISOString() ?? "never"}, recorded is ${lockedUntil}`,
    );
  }
  if (!read) return differences;
  const found = await readBack(storeUrl, { key, versionId }, { signal: new AbortController().signal }).catch(
    (error: unknown) => {
      if (isProblem(error, "object-missing")) return { sha256: "nothing" };
      throw error;
    },
  );
  if (found.sha256 !== sha256) differences.push(`its bytes have the SHA-256 ${found.sha256}, not ${sha256}`);
  return differences;
}

/** Every object under a prefix, and every unfinished upload, is known or under way. */
async function checkPrefix(deps: FsckDependencies, prefix: string, report: Report): Promise<void> {
  let batch: ObjectRef[] = [];
  for await (const { key, versionId } of deps.store.list(prefix)) {
    batch.push({ key, versionId });
    if (batch.length < rowsAtOnce) continue;
    await checkKnown(deps, batch, report);
    batch = [];
  }
  await checkKnown(deps, batch, report);
  for await (const { key } of deps.store.listUnfinished(prefix)) {
    const { rows } = await sql`SELECT FROM store_intent WHERE object_key = ${key}
      UNION ALL SELECT FROM copy_task WHERE object_key = ${key}`.execute(deps.db);
    if (rows.length > 0) continue;
    report({ kind: "stored-object", subject: key, detail: "an unfinished upload that nobody is at" });
  }
}

/** Asked after the objects were listed: by then a row is there, or the intent still is, or the object is gone. */
async function checkKnown({ db, store }: FsckDependencies, refs: readonly ObjectRef[], report: Report): Promise<void> {
  if (refs.length === 0) return;
  const { rows } = await sql<ObjectRef>`
    SELECT key, version_id FROM unnest(${refs.map(({ key }) => key)}::text[], ${refs.map(({ versionId }) => versionId)}::text[])
      AS stored (key, version_id)
    WHERE NOT EXISTS (SELECT FROM (${sql.join(known, sql` UNION ALL `)}) AS known WHERE known.object_key = stored.key
      AND (known.version_id IS NULL OR known.version_id = stored.version_id)) ORDER BY key`.execute(db);
  for (const ref of rows) {
    if ((await store.stat(ref)) === undefined) continue; // swept meanwhile
    report({ kind: "stored-object", subject: ref.key, detail: `version ${ref.versionId} belongs to nothing` });
  }
}
