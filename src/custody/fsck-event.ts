import { createHash } from "node:crypto";
import { type CustodyLeaf, type HashedRekord, openingMatches, parseLogEntry, parseSealKey } from "#evidence";
import type { Json } from "#kernel";
import { publishedSeal } from "./append.ts";
import type { Report } from "./finding.ts";

/** A row of `custody_event`. */
export interface EventRow {
  readonly id: string;
  readonly type: string;
  readonly clipId: string | null;
  readonly caseId: string | null;
  readonly at: string;
  readonly actor: string;
  readonly details: unknown;
  readonly salt: string;
  readonly leaf: Buffer;
}

/** Compares what the database tells of an event with the bytes that stand in the log. */
export function checkEvent(row: EventRow, report: Report): void {
  const differs: Differs = (detail) => report({ kind: "custody-event", subject: row.id, detail });
  let entry: ReturnType<typeof parseLogEntry>;
  try {
    entry = parseLogEntry(row.leaf);
  } catch (error) {
    differs(`the bytes of the leaf are no entry: ${(error as Error).message}`);
    return;
  }
  if ((entry.type === "seal") !== (row.type === publishedSeal)) {
    differs(`the row says ${row.type}, the leaf is of another type`);
  } else if (entry.type === "seal") {
    checkPublishedSeal(row, entry.record, differs);
  } else {
    checkCustodyLeaf(row, entry.leaf, differs);
  }
}

type Differs = (detail: string) => void;

function checkCustodyLeaf(row: EventRow, leaf: CustodyLeaf, differs: Differs): void {
  const told = { id: row.id, type: row.type, at: millisecondsOf(row.at), clip: row.clipId, case: row.caseId };
  const { id, type, at, subject } = leaf;
  const logged = { id, type, at, clip: subject["clip"] ?? null, case: subject["case"] ?? null };
  for (const name of Object.keys(told) as (keyof typeof told)[]) {
    if (told[name] === logged[name]) continue;
    differs(`${name} is ${told[name] ?? "not told"}, in the leaf ${logged[name] ?? "none"}`);
  }
  const { details, salt } = row as { details: Json; salt: string };
  if (!openingMatches(leaf, { details, salt })) {
    differs(`details and salt do not open the commitment ${leaf.commitment} of the leaf`);
  }
  // What the machine does by itself needs no name in the details (append.ts).
  const actor = membersOf(row.details)["actor"];
  const sound = row.actor.startsWith("system:") ? actor === undefined : actor === row.actor;
  if (!sound) differs(`the actor is ${row.actor}, in the details ${String(actor ?? "none")}`);
}

/**
 * No commitment covers the row of a published seal: its details say what the entry says, and the digest of the token,
 * which is compared with the token (src/audit/fsck-seals.ts).
 */
function checkPublishedSeal(row: EventRow, record: HashedRekord, differs: Differs): void {
  const details = membersOf(row.details);
  const logged = {
    sha256: record.sha256,
    signatureSha256: createHash("sha256").update(record.signature).digest("hex"),
    sealKey: parseSealKey(record.publicPem).hint,
  };
  for (const [name, value] of Object.entries(logged)) {
    if (details[name] !== value) differs(`${name} is not the one of the leaf, ${value}`);
  }
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** The database's time in the form of a leaf; as it is when it is finer than milliseconds or of another form. */
function millisecondsOf(at: string): string {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,3})0*)?Z$/.exec(at);
  return match === null ? at : `${match[1]}.${(match[2] ?? "").padEnd(3, "0")}Z`;
}
