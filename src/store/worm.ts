import { createHash, randomBytes } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { isProblem } from "#kernel";
import type { EvidenceStore, ObjectRef, WormReport } from "./port.ts";
import { reaches } from "./retention.ts";

const PREFIX = "worm-probe/";
/** How long a canary is locked: long enough for the attempts on it, short enough to leave nothing for long. */
const LOCKED_MS = 60_000;
const CANARY_BYTES = 1024;

/** An attempt on the canary: says in a few words what was not refused; undefined when all was refused. */
export type Attack = (canary: ObjectRef, lockedUntil: Date) => Promise<string | undefined>;

type Claims = Pick<WormReport, "refusedRemoval" | "refusedOverwrite" | "refusedShortening">;

/**
 * Writes a canary, locks it for a minute and lets the adapter try to remove, overwrite and shorten it; afterwards the
 * bytes and the lock must be what they were. A fault (store not available) is not a refusal: the report then says that
 * nothing is known.
 * @param remark what people must know beside the result.
 */
export async function probeWorm(
  store: EvidenceStore,
  attacks: readonly (readonly [claim: keyof Claims, attack: Attack])[],
  remark: string,
): Promise<WormReport> {
  const checkedAt = new Date();
  const nothing: Claims = { refusedRemoval: false, refusedOverwrite: false, refusedShortening: false };
  try {
    await removeExpired(store);
    const bytes = randomBytes(CANARY_BYTES);
    const key = `${PREFIX}${createHash("sha256").update(bytes).digest("hex").slice(0, 32)}`;
    const signal = AbortSignal.timeout(LOCKED_MS / 2);
    const canary = await store.put({ key, body: once(bytes), sizeBytes: bytes.length, signal });
    const until = new Date(Math.ceil((Date.now() + LOCKED_MS) / 1000) * 1000);
    const lock = await store.lock(canary, until);
    const refused = { ...nothing };
    const allowed: string[] = [];
    for (const [name, attack] of attacks) {
      const success = await attack(canary, lock.until);
      if (success !== undefined) allowed.push(success);
      const harm = await harmTo(store, canary, bytes, lock.until);
      refused[name] = success === undefined && harm === undefined;
      if (harm === undefined) continue;
      allowed.push(harm);
      break; // what would be tried next is not there any more
    }
    const writeOnce = Object.values(refused).every(Boolean);
    const result = writeOnce
      ? "Removal, overwriting and shortening were refused"
      : `Not write-once: ${allowed.join("; ")}`;
    return { checkedAt, writeOnce, ...refused, detail: `${result}. ${remark}` };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return {
      checkedAt,
      writeOnce: false,
      ...nothing,
      detail: `Not known to be write-once: the probe could not be completed (${why}).`,
    };
  }
}

/** Canaries of earlier probes. One that is still locked stays for the next time. */
async function removeExpired(store: EvidenceStore): Promise<void> {
  for await (const { key, modifiedAt } of store.list(PREFIX)) {
    if (Date.now() - modifiedAt.getTime() > LOCKED_MS) await store.discard(key);
  }
}

/** What became of the canary; undefined when bytes and lock are what they were. */
async function harmTo(
  store: EvidenceStore,
  canary: ObjectRef,
  bytes: Buffer,
  until: Date,
): Promise<string | undefined> {
  try {
    const stored = await buffer(await store.get(canary));
    const facts = await store.stat(canary);
    if (!stored.equals(bytes)) return "the locked bytes have changed";
    return reaches(facts?.retention, until) ? undefined : "the lock is gone or shorter";
  } catch (error) {
    if (isProblem(error, "object-missing")) return "the locked bytes are gone";
    throw error;
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
