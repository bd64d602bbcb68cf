import { sql } from "kysely";
import { fsckLog, type LogKey, type Report } from "#custody";
import { type Database, inSnapshot, type Tx } from "#db";
import type { EvidenceStore } from "#store";
import { type ClipPage, clipPages } from "./clip-pages.ts";
import { fsckBindings, fsckCases } from "./fsck-bindings.ts";
import { fsckClips, fsckLostClips } from "./fsck-clips.ts";
import { fsckCopies } from "./fsck-copies.ts";
import { fsckDerivatives } from "./fsck-derivatives.ts";
import { fsckExports } from "./fsck-exports.ts";
import { fsckGateway } from "./fsck-gateway.ts";
import { fsckRecordings } from "./fsck-recordings.ts";
import { fsckRenewals } from "./fsck-renewals.ts";
import { fsckSeals } from "./fsck-seals.ts";
import { fsckStore } from "./fsck-store.ts";
import { fsckWipes } from "./fsck-wipes.ts";

export interface FsckDependencies {
  readonly db: Database;
  readonly store: EvidenceStore;
  /** For the hash threads, which open the store themselves. */
  readonly storeUrl: string;
  readonly logKey: LogKey;
  /** Reads every stored object and hashes it. */
  readonly deep: boolean;
}

/** What is looked at of each clip. Whoever adds a table that tells of clips adds a line. */
const ofClips: readonly ((tx: Tx, page: ClipPage, report: Report) => Promise<void>)[] = [
  fsckClips,
  fsckSeals,
  fsckRenewals,
  fsckDerivatives,
  fsckBindings,
  fsckCopies,
  fsckWipes,
];

/**
 * Derives the log from its entries, the rows from their events, and what the store must hold from the rows; compares
 * in both directions. Nothing is changed, and the first difference does not end it.
 * @returns how many of each were looked at.
 */
export async function fsck(deps: FsckDependencies, report: Report): Promise<Readonly<Record<string, number>>> {
  const derived = await inSnapshot(deps.db, async (tx) => {
    // One state of the database for all of it, however long it takes: the installation goes on meanwhile.
    await sql`SET LOCAL statement_timeout = 0`.execute(tx);
    await sql`SET LOCAL idle_in_transaction_session_timeout = 0`.execute(tx);
    const log = await fsckLog(tx, deps.logKey, report);
    let clips = 0;
    for await (const page of clipPages(tx)) {
      for (const part of ofClips) await part(tx, page, report);
      clips += page.ids.length;
    }
    await fsckLostClips(tx, report);
    return {
      ...log,
      clips,
      ...(await fsckCases(tx, report)),
      ...(await fsckExports(tx, report)),
      ...(await fsckRecordings(tx, report)),
      ...(await fsckGateway(tx, report)),
    };
  });
  return { ...derived, ...(await fsckStore(deps, report)) };
}
