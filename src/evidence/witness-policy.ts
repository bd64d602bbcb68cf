import { openCheckpoint } from "./checkpoint.ts";
import { parseVkey } from "./note-key.ts";
import { malformed } from "./refuse.ts";
import { count, exactMembers } from "./strict-json.ts";

/** When a checkpoint counts as witnessed: so many of these witnesses cosigned it. */
export interface WitnessPolicy {
  /** 1 to the number of keys. */
  readonly threshold: number;
  /** Verifier keys of type `cosignature`, each of another witness. */
  readonly keys: readonly string[];
}

/** As many as a note may have signatures, the log's own aside. */
const MAX_WITNESSES = 99;

/**
 * Strict: exactly `threshold` and `keys`. The same public key may not stand there twice, also under another name: a
 * cosignature does not commit to the name (C2SP tlog-cosignature), so one witness would count as two.
 * @param what names the value in the error. @throws DocksealError malformed-proof.
 */
export function parseWitnessPolicy(value: unknown, what: string): WitnessPolicy {
  const members = exactMembers(value, ["threshold", "keys"], what);
  const { keys } = members;
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === "string"))
    throw malformed(`${what}: no list of keys`);
  if (keys.length > MAX_WITNESSES) throw malformed(`${what}: more than ${MAX_WITNESSES} witnesses`);
  const seen = new Set<string>();
  for (const key of keys) {
    if (parseVkey(key).type !== "cosignature") throw malformed(`${what}: a key is not a witness's (type 04)`);
    seen.add(publicPart(key));
  }
  if (seen.size < keys.length) throw malformed(`${what}: the same key stands there twice`);
  const threshold = count(members["threshold"], `${what}: the threshold`);
  if (threshold < 1 || threshold > keys.length)
    throw malformed(`${what}: the threshold is not 1 to the number of keys`);
  return { threshold, keys };
}

/**
 * Which trusted witnesses cosigned a checkpoint of a trusted log.
 * @param logs verifier keys of logs.
 * @returns their names, and whether they are as many as the policy wants.
 * @throws DocksealError malformed-proof, proof-rejected: also when a trusted witness's line is there but wrong.
 */
export function witnessesOf(
  note: string,
  logs: readonly string[],
  { threshold, keys }: WitnessPolicy,
): { names: readonly string[]; witnessed: boolean } {
  const { cosignedBy } = openCheckpoint(note, [...logs, ...keys]);
  return { names: cosignedBy.map(({ name }) => name), witnessed: cosignedBy.length >= threshold };
}

/** What follows name and id: base64, which has one form for each key. */
function publicPart(vkey: string): string {
  return vkey.split("+").slice(2).join("+");
}
