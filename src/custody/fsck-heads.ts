import { sql } from "kysely";
import type { Tx } from "#db";
import { imprintsOf, openCheckpoint, openNote, parseVkey, signedByThese, verifyTimestampToken } from "#evidence";
import { isProblem } from "#kernel";
import { logSize } from "./checkpoints.ts";
import { type Report, reportRefused } from "./finding.ts";
import type { Believed } from "./fsck-checkpoints.ts";
import { keysOfLog } from "./keys-of-log.ts";
import { type LogKey, signersIn } from "./log-key.ts";
import { headFileIn, headInFile, requireContinued } from "./outside-heads.ts";
import { tileReader } from "./tiles.ts";

const rowsAtOnce = 1000;

/**
 * Compares the noted keys of the log with those in the key directory.
 * @returns keys to believe: those that ever signed, and those that lie here.
 */
export async function fsckKeys(tx: Tx, key: LogKey, report: Report): Promise<Believed> {
  const here = (await signersIn(key)).map(({ vkey }) => vkey);
  const believed = new Set(here);
  for (const { id, vkey, retiredAt } of await keysOfLog(tx)) {
    reportRefused(report, "log-key", id, () => {
      const { name } = parseVkey(vkey);
      believed.add(vkey);
      if (name !== key.origin) report({ kind: "log-key", subject: id, detail: `it is a key of ${name}` });
      if (retiredAt === null && !here.includes(vkey)) {
        report({ kind: "log-key", subject: id, detail: `it signs the log and is not in ${key.directory}` });
      }
    });
  }
  const { rows } = await sql<{ subject: string; detail: string }>`
    SELECT 'event ' || event.id AS subject, 'no such key of the log is noted, or not as retired' AS detail
    FROM custody_event AS event WHERE type IN ('log.key-added', 'log.key-retired') AND NOT EXISTS (
      SELECT FROM log_key WHERE vkey = details ->> 'vkey' AND (type = 'log.key-added' OR retired_at IS NOT NULL))
    UNION ALL SELECT id::text, 'it is noted as retired, and no event says so'
    FROM log_key WHERE retired_at IS NOT NULL AND NOT EXISTS (
      SELECT FROM custody_event WHERE type = 'log.key-retired' AND details ->> 'vkey' = vkey)`.execute(tx);
  for (const { subject, detail } of rows) report({ kind: "log-key", subject, detail });
  return { origin: key.origin, vkeys: [...believed] };
}

/** Timestamps over checkpoints, and what witnesses said of them. */
export async function fsckFixed(tx: Tx, { vkeys }: Believed, report: Report): Promise<{ fixed: number }> {
  let fixed = 0;
  for await (const { size, note, token, generatedAt, roots } of timestamps(tx)) {
    fixed += 1;
    reportRefused(report, "log-timestamp", String(size), () => {
      const { genTime } = verifyTimestampToken(token, { imprint: imprintsOf(Buffer.from(note)), roots });
      if (genTime.getTime() === Date.parse(generatedAt)) return;
      const detail = `the row says ${generatedAt}, the token ${genTime.toISOString()}`;
      report({ kind: "log-timestamp", subject: String(size), detail });
    });
  }
  for await (const { size, witness, line, note } of cosignatures(tx)) {
    fixed += 1;
    reportRefused(report, "log-cosignature", `${size} ${witness}`, () => {
      openNote(note + line, [witness]);
      if (signedByThese(note + line, [...vkeys, witness]) === note + line) return;
      report({ kind: "log-cosignature", subject: `${size} ${witness}`, detail: "it is not one line of this witness" });
    });
  }
  await checkWitnessed(tx, vkeys, report);
  return { fixed };
}

interface TimestampRow {
  readonly size: number;
  readonly note: string;
  readonly token: Buffer;
  readonly generatedAt: string;
  readonly roots: string[];
}

async function* timestamps(tx: Tx): AsyncGenerator<TimestampRow> {
  for (let after = 0, more = true; more; ) {
    const rows = await tx
      .selectFrom("logCheckpointTimestamp")
      .innerJoin("logCheckpoint", "logCheckpoint.size", "logCheckpointTimestamp.size")
      .select(["logCheckpoint.size", "note", "token", "generatedAt", "roots"])
      .where("logCheckpoint.size", ">", after)
      .orderBy("logCheckpoint.size")
      .limit(rowsAtOnce)
      .execute();
    yield* rows;
    after = rows.at(-1)?.size ?? after;
    more = rows.length === rowsAtOnce;
  }
}

interface CosignatureRow {
  readonly size: number;
  readonly witness: string;
  readonly line: string;
  readonly note: string;
}

async function* cosignatures(tx: Tx): AsyncGenerator<CosignatureRow> {
  for (let after: { size: number; witness: string } | undefined = { size: 0, witness: "" }; after !== undefined; ) {
    const { rows }: { rows: CosignatureRow[] } = await sql<CosignatureRow>`
      SELECT size, witness, line, note FROM log_cosignature JOIN log_checkpoint USING (size)
      WHERE (size, witness) > (${after.size}, ${after.witness}) ORDER BY size, witness LIMIT ${rowsAtOnce}`.execute(tx);
    yield* rows;
    after = rows.length < rowsAtOnce ? undefined : rows.at(-1);
  }
}

/** A witnessed checkpoint is the checkpoint, and lines of witnesses that are kept, at least as many as it says. */
async function checkWitnessed(tx: Tx, vkeys: readonly string[], report: Report): Promise<void> {
  for (let after = 0, more = true; more; ) {
    const rows = await tx
      .selectFrom("logWitnessed")
      .innerJoin("logCheckpoint", "logCheckpoint.size", "logWitnessed.size")
      .select(["logWitnessed.size", "logWitnessed.note", "threshold", "logCheckpoint.note as signed"])
      .where("logWitnessed.size", ">", after)
      .orderBy("logWitnessed.size")
      .limit(rowsAtOnce)
      .execute();
    for (const { size, note, threshold, signed } of rows) {
      const kept = await tx.selectFrom("logCosignature").select("witness").where("size", "=", size).execute();
      const known = [...vkeys, ...kept.map(({ witness }) => witness)];
      const differs = (detail: string): void => report({ kind: "log-witnessed", subject: String(size), detail });
      reportRefused(report, "log-witnessed", String(size), () => {
        if (!note.startsWith(signed)) differs("it is not the checkpoint with further lines");
        const { cosignedBy } = openCheckpoint(note, known);
        if (cosignedBy.length < threshold) differs(`${cosignedBy.length} witnesses cosigned, ${threshold} were wanted`);
        if (signedByThese(note, known) !== note) differs("a line of it is of nobody whose cosignature is kept");
      });
    }
    after = rows.at(-1)?.size ?? after;
    more = rows.length === rowsAtOnce;
  }
}

/** The head beside the log's key must be of a beginning of this log. The tiles were compared with the entries before. */
export async function fsckHeadFile(tx: Tx, key: LogKey, { vkeys }: Believed, report: Report): Promise<void> {
  const file = headFileIn(key.directory);
  try {
    const head = await headInFile(file, key.origin, vkeys);
    if (head !== undefined) await requireContinued(head, await logSize(tx), tileReader(tx));
  } catch (error) {
    if (!isProblem(error)) throw error;
    report({ kind: "log-head", subject: file.path, detail: error.detail ?? error.title });
  }
}
