import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeOnce } from "#custody";
import {
  createTimestampAuthority,
  parseTimestampResponse,
  TimestampAuthority,
  type TimestampAuthorityKeys,
  timestampRequest,
  verifyTimestampToken,
} from "#evidence";
import { type Clock, DocksealError } from "#kernel";

export interface Timestamped {
  /** TimeStampToken of RFC 3161, DER. */
  readonly tokenDer: Buffer;
  readonly genTime: Date;
}

/** Where timestamps come from. */
export interface TimestampSource {
  /** For people and `doctor`: the URL, or that it is the built-in one. */
  readonly name: string;
  /** False for the built-in authority: whoever runs the log runs its clock. */
  readonly independent: boolean;
  /** PEM certificates that every token leads to. */
  readonly roots: readonly string[];
  /**
   * A token over a SHA-256 imprint (32 bytes), checked strictly before it is given.
   * @throws DocksealError `timestamp-unavailable` (try later), `timestamp-rejected` (what came does not pass).
   */
  stamp(imprint: Buffer, signal: AbortSignal): Promise<Timestamped>;
}

type Ask = (requestDer: Buffer, signal: AbortSignal) => Promise<Buffer>;

async function stamped(ask: Ask, roots: readonly string[], imprint: Buffer, signal: AbortSignal): Promise<Timestamped> {
  const nonce = BigInt(`0x${randomBytes(16).toString("hex")}`);
  const answer = parseTimestampResponse(await ask(timestampRequest({ imprint, nonce }), signal));
  if (answer.status > 1 || answer.tokenDer === undefined) {
    const why = [...answer.statusText, ...answer.failInfo].join(", ");
    throw new DocksealError("timestamp-rejected", {
      detail: `the authority refused: status ${answer.status} ${why}`.trim(),
    });
  }
  const { genTime } = await verifyTimestampToken(answer.tokenDer, { imprint, nonce, roots });
  return { tokenDer: answer.tokenDer, genTime };
}

/** A token with its certificates has a few KiB; whoever sends much more sends no token. */
const maximumAnswerBytes = 256 * 1024;

async function shortBody(answer: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of answer.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > maximumAnswerBytes) throw new Error(`the answer has more than ${maximumAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The authority at a URL, over HTTP as in RFC 3161 §3.4. */
export function authorityAt(url: string, roots: readonly string[]): TimestampSource {
  const ask: Ask = async (body, signal) => {
    let answer: Response;
    try {
      answer = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/timestamp-query" },
        body: new Uint8Array(body),
        signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]),
        redirect: "error",
      });
      if (!answer.ok) {
        await answer.body?.cancel();
        throw new Error(`HTTP status ${answer.status}`);
      }
      return await shortBody(answer);
    } catch (error) {
      signal.throwIfAborted();
      throw new DocksealError("timestamp-unavailable", { detail: `no answer from ${new URL(url).host}`, cause: error });
    }
  };
  return {
    name: url,
    independent: true,
    roots,
    stamp: (imprint, signal) => stamped(ask, roots, imprint, signal),
  };
}

const fileName = "timestamp-authority.json";

/** The built-in authority, whose keys are made in that directory on first use. For development and closed networks. */
export async function builtInAuthority(keysDir: string, clock: Clock): Promise<TimestampSource> {
  const path = join(keysDir, fileName);
  await writeOnce(path, () =>
    JSON.stringify(createTimestampAuthority({ name: "dockseal built-in", now: clock.now() })),
  );
  const keys = JSON.parse(await readFile(path, "utf8")) as TimestampAuthorityKeys;
  const authority = new TimestampAuthority(keys, clock, randomBytes);
  const roots = [keys.rootPem];
  return {
    name: "built-in",
    independent: false,
    roots,
    stamp: (imprint, signal) => stamped((request) => authority.respond(request), roots, imprint, signal),
  };
}
