import {
  type AddCheckpoint,
  consistencyHolds,
  cosign,
  openNote,
  parseAddCheckpoint,
  parseCheckpoint,
  parseNote,
  rootOf,
  signedByThese,
  TLOG_SIZE,
} from "#evidence";
import { type Clock, isProblem } from "#kernel";
import type { WitnessAlarm, WitnessMemory } from "./memory.ts";
import type { TrustedLogs } from "./policy.ts";

/** Answer to a request, as HTTP has it. */
export interface Answer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422;
  readonly type: string;
  readonly body: string;
}

/** What became of a request: the answer, and the alarm when the request gave a new one. */
export interface Outcome {
  readonly answer: Answer;
  readonly alarm?: Pick<WitnessAlarm, "kind" | "origin" | "size">;
}

const plain = (status: Answer["status"], body: string): Answer => ({
  status,
  type: "text/plain; charset=utf-8",
  body: `${body}\n`,
});
const conflict = (size: number): Answer => ({ status: 409, type: TLOG_SIZE, body: `${size}\n` });

/**
 * Answers `add-checkpoint` of C2SP tlog-witness (https://c2sp.org/tlog-witness). Statuses and their order are the
 * specification's. What is given away is on disk before: see {@link WitnessMemory.alone}.
 */
export function addCheckpoint(
  { memory, logs, clock }: { memory: WitnessMemory; logs: TrustedLogs; clock: Clock },
  body: Uint8Array,
): Outcome {
  let request: AddCheckpoint;
  try {
    request = parseAddCheckpoint(body);
  } catch (error) {
    if (isProblem(error, "malformed-proof")) return { answer: plain(400, error.message) };
    throw error;
  }
  const { text } = parseNote(request.checkpoint);
  const { origin, size, root } = parseCheckpoint(text);
  const keys = logs.get(origin);
  if (keys === undefined) return { answer: plain(404, "this log is not known here") };
  try {
    openNote(request.checkpoint, keys);
  } catch (error) {
    if (isProblem(error, "proof-rejected")) return { answer: plain(403, error.message) };
    throw error;
  }
  const { oldSize, proof } = request;
  if (oldSize > size) return { answer: plain(400, "the old size is larger than the checkpoint's") };
  const checkpoint = signedByThese(request.checkpoint, keys);

  return memory.alone((): Outcome => {
    const head = memory.head(origin);
    const headSize = head?.size ?? 0;
    const headRoot = head === undefined ? rootOf([]) : parseCheckpoint(parseNote(head.checkpoint).text).root;
    // Never before the last one: a cosignature says what was the largest tree seen as of its time.
    const time = Math.max(Math.floor(clock.now().getTime() / 1000), head?.time ?? 0);
    const refuse = (answer: Answer, kind: WitnessAlarm["kind"], seen: string): Outcome => {
      const alarm = { kind, origin, size, root: root.toString("base64"), checkpoint, seen };
      return memory.raise(alarm, time) ? { answer, alarm: { kind, origin, size } } : { answer };
    };
    const rootOfSize = rootSeen(memory, origin, size);
    if (rootOfSize !== undefined && !rootOfSize.root.equals(root)) {
      // Whatever the old size: the log has signed two trees of this size.
      return refuse(conflict(headSize), "split-view", rootOfSize.checkpoint);
    }
    if (oldSize !== headSize) return { answer: conflict(headSize) };
    if (!consistencyHolds({ oldSize, newSize: size, oldRoot: headRoot, newRoot: root, proof })) {
      const answer = plain(422, `not shown to continue the tree of ${headSize} entries that was seen`);
      // A proof between equal or from empty trees is none: a mistake in the request, which says nothing of the log.
      return size === headSize || head === undefined ? { answer } : refuse(answer, "inconsistent", head.checkpoint);
    }
    memory.endOfTree(origin, size, root.toString("base64"), time);
    memory.remember(origin, { size, checkpoint, time });
    return {
      answer: { status: 200, type: "text/plain; charset=utf-8", body: cosign(text, memory.signer, time) },
    };
  });
}

/** The tree of this size as it was seen; the empty one is known without that. */
function rootSeen(
  memory: WitnessMemory,
  origin: string,
  size: number,
): { root: Buffer; checkpoint: string } | undefined {
  const seen = memory.cosignedAt(origin, size);
  if (seen === undefined) return size === 0 ? { root: rootOf([]), checkpoint: "" } : undefined;
  return { root: parseCheckpoint(parseNote(seen.checkpoint).text).root, checkpoint: seen.checkpoint };
}
