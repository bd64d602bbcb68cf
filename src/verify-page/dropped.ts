import { ContentDigests } from "#evidence";
import { type FileFacts, parseTrust, type Trust } from "#verify";

// What somebody dropped into the page: receipts and seal bundles, a trust file, and originals, which may be large.

export type Dropped =
  | { readonly kind: "document"; readonly name: string; readonly text: string }
  | { readonly kind: "trust"; readonly name: string; readonly trust: Trust }
  | { readonly kind: "original"; readonly name: string; readonly facts: FileFacts };

/** Receipts and trust files are far smaller; a larger file is an original. */
const MAX_TEXT_BYTES = 1_000_000;
/** Read at once: the page needs memory for one piece, however large the file is. */
const PIECE_BYTES = 4 * 1024 * 1024;

/**
 * Reads a file and finds out what it is.
 * @param onProgress told from time to time how many bytes of an original are done.
 * @throws DocksealError malformed-proof for a trust file that is none.
 */
export async function readDropped(file: File, onProgress: (done: number) => void): Promise<Dropped> {
  const { name } = file;
  const text = file.size > MAX_TEXT_BYTES ? "" : await file.text();
  if (/^\s*\{/.test(text)) {
    if (/"dockseal\/trust@v1"/.test(text)) return { kind: "trust", name, trust: parseTrust(text) };
    if (/"dockseal\/receipt@|"mediaType"\s*:\s*"application\/vnd\.dev\.sigstore/.test(text)) {
      return { kind: "document", name, text };
    }
  }
  const digests = new ContentDigests();
  for (let at = 0; at < file.size; at += PIECE_BYTES) {
    digests.update(new Uint8Array(await file.slice(at, at + PIECE_BYTES).arrayBuffer()));
    onProgress(Math.min(at + PIECE_BYTES, file.size));
  }
  return { kind: "original", name, facts: digests.finish() };
}
