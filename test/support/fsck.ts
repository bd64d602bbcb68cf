import { sql } from "kysely";
import { type Finding, fsckLog, type LogKey } from "#custody";
import { type Database, inSnapshot, type Tx } from "#db";

interface Outcome {
  readonly findings: Finding[];
  readonly counts: Readonly<Record<string, number>>;
}

/** What `dockseal fsck` says of the log alone. */
export function fsckOfLog(db: Database, key: LogKey): Promise<Outcome> {
  return inSnapshot(db, (tx) => outcomeOf(tx, key));
}

/** The same after a change that nothing refuses and that does not stay. */
export async function fsckOfLogAfter(
  db: Database,
  key: LogKey,
  tamper: (tx: Tx) => Promise<unknown>,
): Promise<Outcome> {
  const undone = new Error("undone on purpose");
  let outcome: Outcome | undefined;
  await db
    .transaction()
    .execute(async (tx) => {
      // As the owner of the tables could: without triggers, and without foreign keys.
      await sql`SET LOCAL session_replication_role = replica`.execute(tx);
      await tamper(tx);
      outcome = await outcomeOf(tx, key);
      throw undone;
    })
    .catch((error: unknown) => {
      if (error !== undone) throw error;
    });
  if (outcome === undefined) throw new Error("fsck did not run");
  return outcome;
}

async function outcomeOf(tx: Tx, key: LogKey): Promise<Outcome> {
  const findings: Finding[] = [];
  const counts = await fsckLog(tx, key, (finding) => void findings.push(finding));
  return { findings, counts };
}
