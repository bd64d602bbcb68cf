import { randomUUID } from "node:crypto";
import { ContentDigests, type ContentFacts } from "#evidence";
import type { ClipMetadata } from "#metadata";
import type { Bandwidth } from "./bandwidth.ts";
import { Changed, isMediumFault } from "./card.ts";
import { accepted, clipOf, type Patience, persistently, Refusal, type SentClip, type Server } from "./server.ts";
import type { Source } from "./source.ts";

const pieceBytes = 1024 * 1024;

export interface Line {
  readonly server: Server;
  readonly bandwidth: Bandwidth;
  readonly patience: Patience;
  /** Told how many bytes went out. */
  readonly onBytes: (count: number) => void;
}

/** What the server made of a file, and what this station read of it. */
export interface Sent {
  readonly clip: SentClip;
  readonly facts: ContentFacts;
}

/** What no trying again on the same open file can mend. */
export function isLasting(error: unknown): boolean {
  return error instanceof Refusal || error instanceof Changed || isMediumFault(error);
}

/**
 * One request with everything (`POST /api/v1/clips`), hashed while it is sent. A broken line means all of it again.
 * @throws Refusal, Changed, the medium's fault, or the last fault of the line.
 */
export function sendByForm(line: Line, source: Source, metadata: ClipMetadata): Promise<Sent> {
  return persistently(
    line.patience,
    async () => {
      const digests = new ContentDigests();
      const boundary = `dockseal-${randomUUID()}`;
      const part = (name: string, more: string) =>
        `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`;
      const head = Buffer.from(
        `${part("metadata", "")}${JSON.stringify(metadata)}\r\n${part("file", '; filename="recording"')}`,
      );
      const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
      const { signal } = line.patience;
      // A fault of the card must not look like one of the line: it is kept while the connection is cut.
      let lasting: unknown;
      async function* pieces(): AsyncGenerator<Buffer> {
        yield head;
        try {
          for (let at = 0; at < source.sizeBytes; at += pieceBytes) {
            const bytes = await source.read(at, Math.min(pieceBytes, source.sizeBytes - at));
            digests.update(bytes);
            if (at + bytes.length === source.sizeBytes) await source.requireUnchanged();
            yield* line.bandwidth.paced(bytes, signal);
            line.onBytes(bytes.length);
          }
        } catch (error) {
          lasting = error;
          throw error;
        }
        yield tail;
      }
      const sizeBytes = head.length + source.sizeBytes + tail.length;
      const answer = await line.server
        .ask("POST", "/api/v1/clips", {
          signal,
          headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
          body: { sizeBytes, pieces: pieces() },
        })
        .catch((error: unknown) => {
          throw lasting ?? error;
        });
      return { clip: clipOf(accepted(answer)), facts: digests.finish() };
    },
    isLasting,
  );
}
