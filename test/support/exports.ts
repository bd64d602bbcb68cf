import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { sql } from "kysely";
import type { Caller } from "./api.ts";
import { bareProduct } from "./bare-node.ts";
import { sendClip, someMetadata } from "./curl.ts";
import type { Stack } from "./stack.ts";
import { until } from "./until.ts";

const run = promisify(execFile);

/** Sends a file as a station does. @returns the clip's id. */
export async function send(stack: Stack, content: Buffer, metadata: Record<string, unknown> = {}): Promise<string> {
  const path = join(stack.directory, `upload-${randomBytes(6).toString("hex")}`);
  await writeFile(path, content);
  const answer = await sendClip(stack.url, stack.party.token, path, {
    ...someMetadata,
    sizeBytes: content.length,
    ...metadata,
  });
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.body}`);
  return answer.json<{ id: string }>().id;
}

/** Until nothing is left to be done to any clip, and a checkpoint covers everything: before that there are no receipts. */
export async function untilAtRest({ db }: Stack, seconds = 60): Promise<void> {
  const atRest = async (): Promise<boolean> => {
    const steps = await db.selectFrom("clipStep").select("step").where("state", "=", "pending").execute();
    const events = await db.selectFrom("custodyPending").select("eventId").execute();
    const { rows: unsigned } = await sql`
      SELECT FROM log_entry WHERE index >= (SELECT coalesce(max(size), 0) FROM log_checkpoint)`.execute(db);
    return steps.length + events.length + unsigned.length === 0;
  };
  await until("every step is done and every event is under a checkpoint", atRest, { seconds });
}

export async function caseIdOf({ db }: Stack, number: string): Promise<string> {
  return (await db.selectFrom("caseFile").select("id").where("number", "=", number).executeTakeFirstOrThrow()).id;
}

export interface ExportAnswer {
  readonly id: string;
  readonly state: "pending" | "running" | "done" | "failed";
  readonly files: { readonly done: number; readonly total: number | null };
  readonly bytes: { readonly done: number; readonly total: number | null };
  readonly problem: { readonly code: string; readonly detail: string | null } | null;
  readonly name: string | null;
  readonly sizeBytes: number | null;
  readonly sha256: string | null;
  readonly tagManifestSha256: string | null;
  readonly removedAt: string | null;
}

/** Asks until the export is over. */
export function untilOver(caller: Caller, id: string, seconds = 60): Promise<ExportAnswer> {
  return until(
    "the export is over",
    async () => {
      const answer = (await caller.call("GET", `/api/v1/exports/${id}`)).json<ExportAnswer>();
      return ["done", "failed"].includes(answer.state) && answer;
    },
    { seconds, everyMs: 200 },
  );
}

/** Runs a line of shell in a folder. Rejects unless it ends with 0. */
export async function shell(folder: string, line: string): Promise<string> {
  const { stdout, stderr } = await run("sh", ["-euc", line], { cwd: folder, maxBuffer: 64 * 1024 * 1024 });
  return stdout + stderr;
}

/** The lines that VERIFY.txt tells people to type, each once: it says them in Chinese and in English. */
export async function linesToType(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, "VERIFY.txt"), "utf8");
  const lines = [...text.matchAll(/^ {4}(\S.*)$/gm)].map(([, line = ""]) => line);
  const half = lines.slice(0, lines.length / 2);
  if (half.join() !== lines.slice(lines.length / 2).join()) throw new Error("two languages tell different lines");
  return half;
}

/** Paths of all files of a bag. */
export async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** Changes one byte in the middle of a file, and gives what puts it back. */
export async function flipByte(path: string): Promise<() => Promise<void>> {
  const bytes = await readFile(path);
  const changed = Buffer.from(bytes);
  const at = Math.floor(bytes.length / 2);
  changed[at] = (changed[at] ?? 0) ^ 1;
  await writeFile(path, changed);
  return () => writeFile(path, bytes);
}

/** A command of the product with the stack's environment. Rejects unless it ends with 0. */
export function dockseal(stack: Stack, ...args: string[]) {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("DOCKSEAL_")));
  return run("env", bareProduct(args), {
    env: { ...inherited, NODE_V8_COVERAGE: "", ...stack.environment },
  });
}

export const exportCommand = (stack: Stack, ...args: string[]) => dockseal(stack, "export", ...args);
