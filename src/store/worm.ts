import { createHash, randomBytes } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { isProblem } from "#kernel";
import type { EvidenceStore, ObjectRef, WormReport } from "./port.ts";

const PREFIX = "worm-probe/";
/** How long a canary is locked: long enough for the attempts on it, short enough to leave nothing for long. */
const LOCKED_MS = 60_000;
const CANARY_BYTES = 1024;

/** An attempt on the canary. `allowed` says in a few words what was not refused; undefined when all was refused. */
export type Attack = (canary: ObjectRef, lockedUntil: Date) => Promise<{ allowed: string | undefined }>;

/**
 * Writes a canary, locks it for a minute and lets the adapter try to remove, overwrite and shorten it; afterwards the
 * bytes and the lock must be what they were. A fault (store not available) is not a refusal: the report then says that
 * nothing is known.
 * @param remark what people must know beside the result.
 */
export async function probeWorm(
  store: EvidenceStore,
  attacks: { readonly removal: Attack; readonly overwrite: Attack; readonly shortening: Attack },
  remark: string,
): Promise<WormReport> {
  const checkedAt = new Date();
  const nothing = {
    checkedAt,
    writeOnce: false,
    refusedRemoval: false,
    refusedOverwrite: false,
    refusedShortening: false,
  };
  try {
    await removeExpired(store);
    const bytes = randomBytes(CANARY_BYTES);
    const key = `${PREFIX}${createHash("sha256").update(bytes).digest("hex").slice(0, 32)}`;
    const signal = AbortSignal.timeout(LOCKED_MS / 2);
    const canary = await store.put({ key, body: once(bytes), sizeBytes: bytes.length, signal });
    const until = new Date(Math.ceil((Date.now() + LOCKED_MS) / 1000) * 1000);
    const lock = await store.lock(canary, until);
    const removal = await attacks.removal(canary, lock.until);
    const overwrite = await attacks.overwrite(canary, lock.until);
    const shortening = await attacks.shortening(canary, lock.until);
    const unharmed = await isUnharmed(store, canary, bytes, lock.until);
    const refusedRemoval = removal.allowed === undefined && unharmed.bytes;
    const refusedOverwrite = overwrite.allowed === undefined && unharmed.bytes;
    const refusedShortening = shortening.allowed === undefined && unharmed.lock;
    const writeOnce = refusedRemoval && refusedOverwrite && refusedShortening;
    const allowed = [removal.allowed, overwrite.allowed, shortening.allowed].filter((text) => text !== undefined);
    if (!unharmed.bytes) allowed.push("the locked bytes are gone or changed");
    if (!unharmed.lock) allowed.push("the lock is gone or shorter");
    const result = writeOnce
      ? "Removal, overwriting and shortening were refused"
      : `Not write-once: ${allowed.join("; ")}`;
    const detail = `${result}. ${remark}`.trim();
    return { checkedAt, writeOnce, refusedRemoval, refusedOverwrite, refusedShortening, detail };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ...nothing, detail: `Not known to be write-once: the probe could not be completed (${why}).` };
  }
}

/** Canaries of earlier probes. One that is still locked stays for the next time. */
async function removeExpired(store: EvidenceStore): Promise<void> {
  for await (const { key, modifiedAt } of store.list(PREFIX)) {
    if (Date.now() - modifiedAt.getTime() > LOCKED_MS) await store.discard(key);
  }
}

async function isUnharmed(
  store: EvidenceStore,
  canary: ObjectRef,
  bytes: Buffer,
  until: Date,
): Promise<{ bytes: boolean; lock: boolean }> {
  try {
    const stored = await buffer(await store.get(canary));
    const retention = (await store.stat(canary))?.retention;
    const lock = retention?.mode === "COMPLIANCE" && retention.until.getTime() >= until.getTime();
    return { bytes: stored.equals(bytes), lock };
  } catch (error) {
    if (isProblem(error, "object-missing")) return { bytes: false, lock: false };
    throw error;
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
