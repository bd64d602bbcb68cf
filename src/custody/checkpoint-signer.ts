import { type Database, inTransaction, type Tx } from "#db";
import { signCheckpoint, treeRoot } from "#evidence";
import { type Clock, isProblem } from "#kernel";
import type { EvidenceStore } from "#store";
import { clearAlarm, raiseAlarm } from "./alarms.ts";
import { lastCheckpoint, logSize, type SignedHead } from "./checkpoints.ts";
import { currentSigners, keysOfLog } from "./keys-of-log.ts";
import { type LogKey, signersIn } from "./log-key.ts";
import { isSequencer } from "./one-sequencer.ts";
import { type HeadFile, headInFile, newestCopy, type OutsideHead, requireContinued } from "./outside-heads.ts";
import { edgeOf, tileReaderWith } from "./tiles.ts";

export interface SignerDependencies {
  readonly db: Database;
  readonly key: LogKey;
  readonly headFile: HeadFile;
  readonly store: EvidenceStore;
  readonly clock: Clock;
}

const refusals = ["log-rolled-back", "log-forked", "log-cannot-sign"] as const;

/** Signs checkpoints, and nothing that contradicts a head kept outside the database. One for each process. */
export class CheckpointSigner {
  readonly #deps: SignerDependencies;
  /** The database's newest checkpoint for which the heads outside were looked at; undefined: none yet. */
  #checkedFor: SignedHead["note"] | "no checkpoint" | undefined;
  #alarmed = true;
  #signedLast = false;

  constructor(deps: SignerDependencies) {
    this.#deps = deps;
  }

  /** Whether the database's newest checkpoint was signed by this process, as far as it knows. */
  get signedLast(): boolean {
    return this.#signedLast;
  }

  /**
   * Compares the log with the heads outside the database: when the process starts, and whenever the newest checkpoint
   * in the database is not the one that this process signed. Otherwise it costs one look at that.
   * @throws DocksealError `log-rolled-back`, `log-forked`, `configuration-invalid`; an alarm is raised then.
   */
  check(): Promise<void> {
    return this.#alarming(async () => {
      const { db, key, headFile, store, clock } = this.#deps;
      const last = await lastCheckpoint(db);
      const newest = last?.note ?? "no checkpoint";
      if (newest === this.#checkedFor) return;
      this.#signedLast = false;
      const vkeys = await this.#vkeys(db);
      const { head: copy, invalid } = await newestCopy(store, key.origin, vkeys, clock.now());
      for (const subject of invalid) {
        await raiseAlarm(db, { kind: "log-copy-invalid", subject, detail: `${subject} is no checkpoint of this log` });
      }
      const heads = [inDatabase(last), await headInFile(headFile, key.origin, vkeys), copy];
      await requireAllContinued(db, await logSize(db), heads);
      this.#checkedFor = newest;
    });
  }

  /**
   * Signs a checkpoint over all entries when there are new ones. They were committed by the sequencer before: what is
   * signed is durable. The head file is written before the checkpoint is published.
   * @returns the checkpoint's size; undefined when there was nothing to sign, or another process is at it.
   * @throws DocksealError as {@link check}.
   */
  sign(): Promise<number | undefined> {
    return this.#alarming(async () => {
      const { db, key, headFile } = this.#deps;
      const signed = await inTransaction(db, async (tx) => {
        if (!(await isSequencer(tx))) return undefined;
        const last = await lastCheckpoint(tx);
        // Another process signed since the check, or there was none: then that comes first.
        if ((last?.note ?? "no checkpoint") !== this.#checkedFor) return undefined;
        const size = await logSize(tx);
        if (size === (last?.size ?? 0)) return "nothing new";
        const signers = await currentSigners(tx, key);
        const inFile = await headInFile(headFile, key.origin, await this.#vkeys(tx));
        const readTile = await requireAllContinued(tx, size, [inDatabase(last), inFile]);
        const root = await treeRoot(size, readTile);
        const note = signCheckpoint({ origin: key.origin, size, root, extensions: [] }, signers);
        await headFile.write(note);
        await tx.insertInto("logCheckpoint").values({ size, root, note }).executeTakeFirstOrThrow();
        return { size, note };
      });
      if (signed === undefined) return undefined;
      await this.#allIsWell();
      if (signed === "nothing new") return undefined;
      this.#checkedFor = signed.note;
      this.#signedLast = true;
      return signed.size;
    });
  }

  /** Keys whose heads are believed: those that ever signed, and those that lie here but did not get into this database. */
  async #vkeys(db: Database | Tx): Promise<string[]> {
    const { key } = this.#deps;
    const known = (await keysOfLog(db)).map(({ vkey }) => vkey);
    return [...new Set([...known, ...(await signersIn(key)).map(({ vkey }) => vkey)])];
  }

  /** Says by an alarm that the log does not sign. */
  async #alarming<T>(work: () => Promise<T>): Promise<T> {
    const { db, key } = this.#deps;
    try {
      return await work();
    } catch (error) {
      const kind = refusalOf(error);
      if (kind !== undefined) {
        this.#alarmed = true;
        this.#checkedFor = undefined;
        await raiseAlarm(db, { kind, subject: key.origin, detail: (error as Error).message });
      }
      throw error;
    }
  }

  /** Ends the alarms of this process, or of one before it. */
  async #allIsWell(): Promise<void> {
    if (!this.#alarmed) return;
    const { db, key } = this.#deps;
    for (const kind of refusals) await clearAlarm(db, { kind, subject: key.origin });
    this.#alarmed = false;
  }
}

/** The kind of alarm for what a person has to mend; a database or store that is away comes back by itself. */
export function refusalOf(error: unknown): (typeof refusals)[number] | undefined {
  if (isProblem(error, "log-rolled-back")) return "log-rolled-back";
  if (isProblem(error, "log-forked")) return "log-forked";
  return isProblem(error, "configuration-invalid") ? "log-cannot-sign" : undefined;
}

function inDatabase(last: SignedHead | undefined): OutsideHead | undefined {
  return last === undefined ? undefined : { ...last, where: "the database's newest checkpoint" };
}

async function requireAllContinued(db: Database | Tx, size: number, heads: readonly (OutsideHead | undefined)[]) {
  // Most of the time all are the same head.
  const distinct = [...new Map(heads.filter((head) => head !== undefined).map((head) => [head.note, head])).values()];
  const readTile = await tileReaderWith(db, [size, ...distinct.map((head) => head.size)].flatMap(edgeOf));
  for (const head of distinct) await requireContinued(head, size, readTile);
  return readTile;
}
