import { randomBytes } from "node:crypto";
import { mkdir, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type NoteSigner, noteKeyPair, parseSkey } from "#evidence";
import { DocksealError } from "#kernel";

const FILE_NAME = "witness.db";
const SCHEMA = 1;
/** Another process of the same witness may hold the file for as long as a few commits take. */
const BUSY_MS = 10_000;

const tables = `
  CREATE TABLE identity (one INTEGER PRIMARY KEY CHECK (one = 1), skey TEXT NOT NULL) STRICT;
  CREATE TABLE cosigned (
    origin TEXT NOT NULL, size INTEGER NOT NULL, checkpoint TEXT NOT NULL, time INTEGER NOT NULL,
    PRIMARY KEY (origin, size)) STRICT, WITHOUT ROWID;
  CREATE TABLE alarm (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, origin TEXT NOT NULL, size INTEGER NOT NULL, root TEXT NOT NULL,
    checkpoint TEXT NOT NULL, seen TEXT NOT NULL, raised_at INTEGER NOT NULL, last_seen_at INTEGER NOT NULL,
    ended_at INTEGER, reason TEXT, UNIQUE (kind, origin, size, root)) STRICT;`;

/** A checkpoint that this witness cosigned. */
export interface Cosigned {
  readonly size: number;
  /** The signed note. */
  readonly checkpoint: string;
  /** Seconds since 1970. */
  readonly time: number;
}

/** A history that contradicts what was seen. Stands until an operator acknowledges it. */
export interface WitnessAlarm {
  readonly id: number;
  /** `split-view`: two signed trees of one size. `inconsistent`: a larger one that was not shown to continue. */
  readonly kind: "split-view" | "inconsistent";
  readonly origin: string;
  readonly size: number;
  /** Base64. */
  readonly root: string;
  /** The offending checkpoint, with the log's signature: evidence. */
  readonly checkpoint: string;
  /** The checkpoint that it contradicts, with the log's signature. */
  readonly seen: string;
  /** Seconds since 1970. */
  readonly raisedAt: number;
  readonly lastSeenAt: number;
}

/**
 * What a witness must never forget: its key, every checkpoint that it cosigned, and its alarms. One SQLite file, so
 * that key and memory cannot be parted: who lost the memory has lost the key, and cannot cosign a second history with
 * it. Any number of processes may use one directory.
 */
export class WitnessMemory {
  readonly signer: NoteSigner;
  readonly #db: DatabaseSync;

  private constructor(db: DatabaseSync, signer: NoteSigner) {
    this.#db = db;
    this.signer = signer;
  }

  /**
   * @param make lets a directory that holds no witness yet become one: under `name`, or `newName` when that is undefined.
   * @throws DocksealError `usage` when there is no witness and none is to be made; `configuration-invalid` when the one
   *   that is there has another name than `name`.
   */
  static async open(
    directory: string,
    make?: { readonly name: string | undefined; readonly newName: string },
  ): Promise<WitnessMemory> {
    const path = join(directory, FILE_NAME);
    if (make === undefined) {
      await stat(path).catch((cause: unknown) => {
        throw new DocksealError("usage", { detail: `${path} is not there: this is no witness's directory`, cause });
      });
    } else {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await (await open(path, "a", 0o600)).close();
    }
    const db = new DatabaseSync(path, { timeout: BUSY_MS });
    try {
      // EXTRA: the file, the journal and its removal are on disk when COMMIT returns (https://sqlite.org/pragma.html#pragma_synchronous).
      db.exec("PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA;");
      const skey = inTransaction(db, () => skeyOf(db, make?.name ?? make?.newName));
      const signer = parseSkey(skey);
      if (make?.name !== undefined && signer.name !== make.name) {
        const detail = `${path} is the memory of the witness ${signer.name}, not of ${make.name}`;
        throw new DocksealError("configuration-invalid", { detail });
      }
      return new WitnessMemory(db, signer);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** Runs `act` alone among all processes of this witness. What it changed is on disk when this returns. */
  alone<T>(act: () => T): T {
    return inTransaction(this.#db, act);
  }

  /** Logs of which a checkpoint was cosigned, or that gave an alarm. */
  origins(): string[] {
    const rows = this.#db.prepare("SELECT origin FROM cosigned UNION SELECT origin FROM alarm ORDER BY origin").all();
    return rows.map((row) => String(row["origin"]));
  }

  /** The largest checkpoint that was cosigned. */
  head(origin: string): Cosigned | undefined {
    return this.#db
      .prepare("SELECT size, checkpoint, time FROM cosigned WHERE origin = ? ORDER BY size DESC LIMIT 1")
      .get(origin) as Cosigned | undefined;
  }

  /** The checkpoint of that size, when it was cosigned. */
  cosignedAt(origin: string, size: number): Cosigned | undefined {
    return this.#db
      .prepare("SELECT size, checkpoint, time FROM cosigned WHERE origin = ? AND size = ?")
      .get(origin, size) as Cosigned | undefined;
  }

  /** Remembers a checkpoint as cosigned; one that is there already gets the later time. */
  remember(origin: string, { size, checkpoint, time }: Cosigned): void {
    this.#db
      .prepare(
        `INSERT INTO cosigned (origin, size, checkpoint, time) VALUES (?, ?, ?, ?)
         ON CONFLICT (origin, size) DO UPDATE SET time = excluded.time`,
      )
      .run(origin, size, checkpoint, time);
  }

  /** Keeps an alarm, or says of one that is kept that it was seen again. @returns true when it is news. */
  raise(alarm: Omit<WitnessAlarm, "id" | "raisedAt" | "lastSeenAt">, time: number): boolean {
    const { kind, origin, size, root, checkpoint, seen } = alarm;
    const again = this.#db
      .prepare("UPDATE alarm SET last_seen_at = ? WHERE kind = ? AND origin = ? AND size = ? AND root = ?")
      .run(time, kind, origin, size, root);
    if (again.changes === 1) return false;
    this.#db
      .prepare(
        `INSERT INTO alarm (kind, origin, size, root, checkpoint, seen, raised_at, last_seen_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(kind, origin, size, root, checkpoint, seen, time, time);
    return true;
  }

  /** Alarms that stand, oldest first. */
  alarms(): WitnessAlarm[] {
    return this.#db
      .prepare(
        `SELECT id, kind, origin, size, root, checkpoint, seen, raised_at AS raisedAt, last_seen_at AS lastSeenAt
         FROM alarm WHERE ended_at IS NULL ORDER BY id`,
      )
      .all() as unknown as WitnessAlarm[];
  }

  /** Ends an alarm. It is kept, with the reason. @returns false when none with that id stands. */
  end(id: number, reason: string, time: number): boolean {
    const { changes } = this.#db
      .prepare("UPDATE alarm SET ended_at = ?, reason = ? WHERE id = ? AND ended_at IS NULL")
      .run(time, reason, id);
    return changes === 1;
  }

  /** Ends `inconsistent` for a tree that was, after all, shown to continue what was seen. */
  endOfTree(origin: string, size: number, root: string, time: number): void {
    this.#db
      .prepare(
        `UPDATE alarm SET ended_at = ?, reason = 'this tree was proven consistent later'
         WHERE kind = 'inconsistent' AND origin = ? AND size = ? AND root = ? AND ended_at IS NULL`,
      )
      .run(time, origin, size, root);
  }

  close(): void {
    this.#db.close();
  }
}

/** Makes tables and key in a new file. @returns the signing key. */
function skeyOf(db: DatabaseSync, newName: string | undefined): string {
  const version = db.prepare("PRAGMA user_version").get()?.["user_version"];
  if (version === 0 && newName !== undefined) {
    db.exec(`${tables} PRAGMA user_version = ${SCHEMA};`);
    const { skey } = noteKeyPair(newName, randomBytes(32), "cosignature");
    db.prepare("INSERT INTO identity (one, skey) VALUES (1, ?)").run(skey);
    return skey;
  }
  if (version !== SCHEMA) {
    throw new DocksealError("configuration-invalid", {
      detail: `${FILE_NAME} has the form ${version}, which this version of dockseal does not know`,
    });
  }
  return String(db.prepare("SELECT skey FROM identity").get()?.["skey"]);
}

function inTransaction<T>(db: DatabaseSync, act: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = act();
    db.exec("COMMIT");
    return result;
  } finally {
    // Also after a COMMIT that failed: nothing that was not confirmed may be in the way of the next one.
    if (db.isTransaction) db.exec("ROLLBACK");
  }
}
