import type { Database } from "#db";
import { consistencyProof, cosignatureIn, formatAddCheckpoint, parseNote, parseTlogSize, TLOG_SIZE } from "#evidence";
import { lastCheckpoint, type SignedHead } from "./checkpoints.ts";
import { tileReader } from "./tiles.ts";
import type { Witness } from "./witness-file.ts";

/** What came of asking a witness about a checkpoint. */
export type WitnessReply =
  /** `line` was checked. */
  | { readonly kind: "cosigned"; readonly line: string }
  /** It has cosigned a larger tree of this log meanwhile: `size`. */
  | { readonly kind: "overtaken"; readonly size: number }
  /** It says that this log's history is not the one that it saw. */
  | { readonly kind: "forked"; readonly detail: string }
  /** It will not hear of this log, or of its key. */
  | { readonly kind: "refused"; readonly detail: string };

const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Asks one witness to cosign a checkpoint (C2SP tlog-witness, add-checkpoint).
 * @param seen size that the witness is believed to have cosigned last; 0 when nothing is known.
 * @throws whatever fetch throws, or Error, while the witness cannot answer: ask again later.
 */
export async function askWitness(
  db: Database,
  witness: Witness,
  target: SignedHead,
  seen: number,
  signal: AbortSignal,
): Promise<WitnessReply> {
  let oldSize = Math.min(seen, target.size);
  // Once to learn the witness's size, once with the right proof, and once more when it was asked by others in between.
  for (let turn = 0; turn < 3; turn += 1) {
    const proof = await consistencyProof(oldSize, target.size, tileReader(db));
    const body = formatAddCheckpoint({ oldSize, proof, checkpoint: target.note });
    const answer = await post(`${witness.url}/add-checkpoint`, body, signal);
    const said = `${witness.name} answered ${answer.status}`;
    switch (answer.status) {
      case 200:
        return { kind: "cosigned", line: cosignatureIn(answer.body, parseNote(target.note).text, witness.vkey) };
      case 409: {
        const size = answer.type === TLOG_SIZE ? parseTlogSize(answer.body.toString()) : oldSize;
        if (size === oldSize)
          return { kind: "forked", detail: `${said}: it has seen another tree of ${target.size} entries` };
        if (size > target.size) {
          // Asked after the answer: whatever the witness cosigned was signed before.
          const signed = (await lastCheckpoint(db))?.size ?? 0;
          if (size <= signed) return { kind: "overtaken", size };
          return { kind: "forked", detail: `${said}: it has seen ${size} entries, this log has signed ${signed}` };
        }
        oldSize = size;
        break;
      }
      case 422:
        return {
          kind: "forked",
          detail: `${said}: ${target.size} entries do not continue the ${oldSize} that it has seen`,
        };
      case 400:
      case 403:
      case 404:
      case 413:
        return { kind: "refused", detail: said };
      default:
        throw new Error(said);
    }
  }
  return { kind: "overtaken", size: oldSize };
}

async function post(
  url: string,
  body: string,
  signal: AbortSignal,
): Promise<{ status: number; type: string; body: Buffer }> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "text/plain; charset=utf-8" },
    body,
    redirect: "error",
    signal,
  });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error("the witness's answer does not end");
    chunks.push(chunk);
  }
  return {
    status: answer.status,
    type: (answer.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "",
    body: Buffer.concat(chunks),
  };
}
