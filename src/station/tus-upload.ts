import { createHash } from "node:crypto";
import { ContentDigests } from "#evidence";
import type { ClipMetadata } from "#metadata";
import { isLasting, type Line, type Sent } from "./form-upload.ts";
import type { Answer } from "./http-call.ts";
import { accepted, bodyOf, clipOf, persistently, retryAfterSeconds, Unavailable } from "./server.ts";
import type { Source } from "./source.ts";

/** How much is hashed and confirmed at a time: held in memory until the server has it. */
const chunkBytes = 16 * 1024 * 1024;
const endpoint = "/api/v1/uploads";
const tus = { "tus-resumable": "1.0.0" };

/** The server has no such upload (any more), or not the bytes that it confirmed: begun anew. */
class Gone extends Error {
  override readonly name = "Gone";
}

/** Where an upload that goes on later is remembered. */
export interface Remembered {
  readonly upload: string | undefined;
  /** On disk when it resolves. */
  remember(upload: string | null): Promise<void>;
}

/**
 * Sends by tus 1.0: goes on where an earlier upload of the same file ended, and is hashed while it is sent. Only after a
 * restart is what was sent before read again, because a digest needs it.
 * @returns undefined when the server does not speak tus.
 * @throws Refusal, Changed (the upload is given up), the medium's fault, or the last fault of the line.
 */
export async function sendByTus(
  line: Line,
  source: Source,
  metadata: ClipMetadata,
  remembered: Remembered,
): Promise<Sent | undefined> {
  let earlier = remembered.upload;
  for (let time = 1; ; time += 1) {
    const begun = earlier === undefined ? undefined : await offsetOf(line, earlier);
    const upload =
      begun === undefined || earlier === undefined
        ? await create(line, source, metadata)
        : { id: earlier, offset: begun };
    if (upload === undefined) return undefined;
    if (upload.id !== earlier) await remembered.remember(upload.id);
    try {
      return await sendFrom(line, source, upload);
    } catch (error) {
      if (!(error instanceof Gone) || time >= line.patience.attempts) {
        // What was sent of a file that is another one now, or that cannot be read, is of no use.
        if (isLasting(error)) {
          await terminate(line, upload.id);
          await remembered.remember(null);
        }
        throw error;
      }
      earlier = undefined;
    }
  }
}

async function sendFrom(line: Line, source: Source, upload: { id: string; offset: number }): Promise<Sent> {
  const digests = new ContentDigests();
  let at = 0;
  while (at < upload.offset) {
    const bytes = await source.read(at, Math.min(chunkBytes, upload.offset - at));
    digests.update(bytes);
    at += bytes.length;
  }
  line.onBytes(at);
  let clipId: string | undefined;
  while (at < source.sizeBytes) {
    const chunk = await source.read(at, Math.min(chunkBytes, source.sizeBytes - at));
    digests.update(chunk);
    if (at + chunk.length === source.sizeBytes) await source.requireUnchanged();
    clipId = await sendChunk(line, upload.id, at, chunk);
    at += chunk.length;
    line.onBytes(chunk.length);
  }
  return { clip: await complete(line, upload.id, clipId), facts: digests.finish() };
}

/** @returns the offset up to which the server has the bytes; undefined when it has no such upload any more. */
async function offsetOf(line: Line, id: string): Promise<number | undefined> {
  const { server, patience } = line;
  return persistently(patience, async () => {
    const answer = await server.ask("HEAD", `${endpoint}/${id}`, { signal: patience.signal, headers: tus });
    if ([403, 404, 410].includes(answer.status)) return undefined;
    const offset = Number(passable(answer).headers["upload-offset"]);
    if (!Number.isSafeInteger(offset) || offset < 0) throw new Unavailable("the answer to HEAD has no Upload-Offset");
    return offset;
  });
}

async function create(
  line: Line,
  source: Source,
  metadata: ClipMetadata,
): Promise<{ id: string; offset: number } | undefined> {
  const { server, patience } = line;
  const headers = {
    ...tus,
    "upload-length": String(source.sizeBytes),
    "upload-metadata": `metadata ${Buffer.from(JSON.stringify(metadata)).toString("base64")}`,
  };
  return persistently(patience, async () => {
    const answer = await server.ask("POST", endpoint, {
      signal: patience.signal,
      headers,
      body: bodyOf(Buffer.alloc(0)),
    });
    if (answer.status === 404 || answer.status === 405 || answer.status === 501) return undefined;
    // Only its id: behind a proxy the address may name a host or a scheme that is not ours to call.
    const [, id] = /\/([0-9A-Za-z._~-]{1,200})$/.exec(passable(answer).headers.location ?? "") ?? [];
    if (id === undefined) throw new Unavailable("the upload that was made has no address");
    return { id, offset: 0 };
  });
}

/** @returns the clip's id, when this chunk was the last. */
async function sendChunk(line: Line, id: string, start: number, chunk: Buffer): Promise<string | undefined> {
  const { server, patience, bandwidth } = line;
  const { signal } = patience;
  return persistently(
    patience,
    async (attempt) => {
      const offset = attempt === 1 ? start : await offsetOf(line, id);
      if (offset === start + chunk.length) return undefined;
      if (offset === undefined || offset < start || offset > start + chunk.length) {
        throw new Gone(`the server's upload is at ${offset}, ours at ${start}`);
      }
      const rest = chunk.subarray(offset - start);
      const answer = await server.ask("PATCH", `${endpoint}/${id}`, {
        signal,
        headers: {
          ...tus,
          "content-type": "application/offset+octet-stream",
          "upload-offset": String(offset),
          "upload-checksum": `sha256 ${createHash("sha256").update(rest).digest("base64")}`,
        },
        body: { sizeBytes: rest.length, pieces: bandwidth.paced(rest, signal) },
      });
      if (answer.status === 404 || answer.status === 410) throw new Gone("the upload is gone");
      if (passable(answer).headers["upload-offset"] !== String(start + chunk.length)) {
        throw new Unavailable("the server did not take all of a chunk");
      }
      return answer.headers["dockseal-clip"]?.toString();
    },
    (error) => error instanceof Gone || isLasting(error),
  );
}

/** Asked in any case: the answer to the last chunk may have been lost, and it does not say what the clip is. */
async function complete(line: Line, id: string, clipId: string | undefined): Promise<Sent["clip"]> {
  const { server, patience } = line;
  const { signal } = patience;
  return persistently(
    patience,
    async () => {
      const answer = await server.ask("POST", `${endpoint}/${id}/complete`, { signal });
      if (answer.status !== 404 && answer.status !== 410) return clipOf(passable(answer));
      if (clipId === undefined) throw new Gone("the upload is gone");
      return clipOf(accepted(await server.ask("GET", `/api/v1/clips/${clipId}`, { signal })));
    },
    (error) => error instanceof Gone || isLasting(error),
  );
}

/** What the server may do with an upload that is given up; it expires by itself when this does not arrive. */
async function terminate({ server, patience }: Line, id: string): Promise<void> {
  await server.ask("DELETE", `${endpoint}/${id}`, { signal: patience.signal, headers: tus }).catch((error: unknown) => {
    if (!(error instanceof Error)) throw error;
  });
}

/**
 * A success. 409 (another offset), 423 (locked) and 460 (checksum) of tus 1.0 pass: the offset is asked for again.
 * @throws Refusal, Unavailable.
 */
function passable(answer: Answer): Answer {
  if ([409, 423, 460].includes(answer.status)) {
    throw new Unavailable(`HTTP status ${answer.status}`, retryAfterSeconds(answer));
  }
  return accepted(answer);
}
