import { CamelCasePlugin, Kysely, PostgresDialect, type Transaction } from "kysely";
import pg from "pg";
import { DocksealError } from "#kernel";
import type { DB } from "./generated.ts";

export type Database = Kysely<DB>;
/** What a room takes when its write belongs to the caller's transaction. */
export type Tx = Transaction<DB>;

export interface DatabaseOptions {
  readonly url: string;
  /** Connections of this process. */
  readonly pool: number;
  /** Told about connections that broke while idle; they are replaced by themselves. */
  readonly onConnectionError: (error: Error) => void;
}

/**
 * Column types as text or number, never as a Date: timestamptz would lose its microseconds (node-pg-types README).
 * int8 comes as a number, and a value beyond 2^53 is refused instead of being rounded.
 */
const types = new pg.TypeOverrides();
for (const oid of [pg.types.builtins.TIMESTAMPTZ, pg.types.builtins.TIMESTAMP, pg.types.builtins.DATE]) {
  types.setTypeParser(oid, (value: string) => value);
}
types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (value: string) => isoInstant(value));
types.setTypeParser(pg.types.builtins.INT8, (value: string) => {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`int8 ${value} does not fit a safe integer`);
  return number;
});

/** PostgreSQL's "2026-11-22 08:00:00.123456+00" as RFC 3339 "2026-11-22T08:00:00.123456Z" (the session's zone is UTC). */
function isoInstant(value: string): string {
  return value.replace(" ", "T").replace(/\+00$/, "Z");
}

export function openDatabase(options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.pool,
    types,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    application_name: "dockseal",
    // A connection is never held across network I/O: nothing of ours may sit in a transaction or a statement for long.
    options:
      "-c timezone=UTC -c statement_timeout=30000 -c idle_in_transaction_session_timeout=30000 -c lock_timeout=10000",
  });
  pool.on("error", options.onConnectionError);
  pool.on("connect", (client) => client.on("error", options.onConnectionError));
  return new Kysely<DB>({
    dialect: new PostgresDialect({ pool }),
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
  });
}

/** SQLSTATE classes and socket errors that mean "the database is away", as opposed to "the statement is wrong". */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? String(error.code) : "";
  return (
    /^(08|57P|53)/.test(code) ||
    ["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTFOUND", "EAI_AGAIN"].includes(code) ||
    /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|server closed the connection/.test(
      error.message,
    )
  );
}

/** SQLSTATE classes of a server that answers and will not have us: role, password or the name of the database. */
function isRefused(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(28|3D)/.test(error.code ?? "");
}

/**
 * Runs a piece of database work and words "the database is away" as `database-unavailable`, and a refused sign-in as
 * `configuration-invalid`.
 */
export async function speakingDatabase<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isDatabaseAway(error)) throw databaseUnavailable(error);
    if (isRefused(error)) {
      throw new DocksealError("configuration-invalid", { detail: "the database refuses the connection", cause: error });
    }
    throw error;
  }
}

export function databaseUnavailable(cause: unknown): DocksealError {
  return new DocksealError("database-unavailable", { retryAfterSeconds: 5, cause });
}

/** One transaction. Only statements belong inside: no store, no queue, no request body. */
export function inTransaction<T>(db: Database, work: (tx: Tx) => Promise<T>): Promise<T> {
  return speakingDatabase(() => db.transaction().execute(work));
}

/** Reads that see one state of the database, however many statements they are. */
export function inSnapshot<T>(db: Database, read: (tx: Tx) => Promise<T>): Promise<T> {
  return speakingDatabase(() =>
    db.transaction().setIsolationLevel("repeatable read").setAccessMode("read only").execute(read),
  );
}

/** True when the error is a violation of that unique constraint (SQLSTATE 23505). */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  return (
    error instanceof pg.DatabaseError &&
    error.code === "23505" &&
    (constraint === undefined || error.constraint === constraint)
  );
}
