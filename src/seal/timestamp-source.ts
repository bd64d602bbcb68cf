import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeOnce } from "#custody";
import {
  createTimestampAuthority,
  type ImprintAlgorithm,
  type Imprints,
  parseTimestampResponse,
  TimestampAuthority,
  type TimestampAuthorityKeys,
  type TimestampProfile,
  timestampRequest,
  verifyTimestampToken,
} from "#evidence";
import { type Clock, DocksealError } from "#kernel";

export interface Timestamped {
  /** TimeStampToken of RFC 3161, DER: whatever is in another form was refused. */
  readonly tokenDer: Buffer;
  readonly genTime: Date;
  /** Name of the authority that gave it, whether it is independent, and the PEM certificates that its token leads to. */
  readonly authority: string;
  readonly independent: boolean;
  readonly roots: readonly string[];
  /** Authorities that were asked before and gave none, with what became of it, one sentence each. */
  readonly passedOver: readonly string[];
}

/** Where timestamps come from. */
export interface TimestampSource {
  /** For people and `doctor`: the URL, or that it is the built-in one. */
  readonly name: string;
  /** False for the built-in authority: whoever runs the log runs its clock. */
  readonly independent: boolean;
  /** PEM certificates, to one of which every token leads. */
  readonly roots: readonly string[];
  /**
   * A token over one of the imprints, checked strictly before it is given.
   * @throws DocksealError `timestamp-unavailable` (try later), `timestamp-rejected` (what came does not pass).
   */
  stamp(imprints: Imprints, signal: AbortSignal): Promise<Timestamped>;
}

export interface TimestampWishes {
  /** What every token must be issued under, dotted object identifier. */
  readonly policy?: string | undefined;
  /** SM3 is asked for where an SM3 digest is given, else SHA-256. */
  readonly imprint?: ImprintAlgorithm;
}

/** How far the time of a fresh token may lie before the question or after the answer. */
const clockToleranceMs = 5 * 60_000;

interface Authority {
  readonly name: string;
  readonly independent: boolean;
  readonly roots: readonly string[];
  readonly clock: Clock;
  readonly ask: (requestDer: Buffer, signal: AbortSignal) => Promise<Buffer>;
}

function sourceOf(authority: Authority, { policy, imprint: wanted }: TimestampWishes): TimestampSource {
  const { name, independent, roots, clock, ask } = authority;
  const stamp = async (imprints: Imprints, signal: AbortSignal): Promise<Timestamped> => {
    const { sha256, sm3 } = imprints;
    const [algorithm, imprint] =
      wanted === "sm3" && sm3 !== undefined ? ["sm3" as const, sm3] : ["sha256" as const, sha256];
    const nonce = BigInt(`0x${randomBytes(16).toString("hex")}`);
    const rules = { nonce, ...(policy === undefined ? {} : { policy }) };
    const from = new Date(clock.now().getTime() - clockToleranceMs);
    const answer = parseTimestampResponse(await ask(timestampRequest({ imprint, algorithm, ...rules }), signal));
    const until = new Date(clock.now().getTime() + clockToleranceMs);
    if (answer.status > 1 || answer.tokenDer === undefined) {
      const why = [...answer.statusText, ...answer.failInfo].join(", ");
      throw new DocksealError("timestamp-rejected", {
        detail: `the authority refused: status ${answer.status} ${why}`.trim(),
      });
    }
    const { genTime } = verifyTimestampToken(answer.tokenDer, {
      ...{ imprint: { [algorithm]: imprint }, roots, between: [from, until] },
      ...rules,
    });
    return { tokenDer: answer.tokenDer, genTime, authority: name, independent, roots, passedOver: [] };
  };
  return { name, independent, roots, stamp };
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

export interface AuthorityOptions extends TimestampWishes {
  /** PEM certificates that its tokens must lead to. */
  readonly roots: readonly string[];
  readonly clock: Clock;
  /** It has to have answered by then. */
  readonly deadlineMs?: number;
}

/** The authority at a URL, over HTTP as in RFC 3161 §3.4. */
export function authorityAt(url: string, options: AuthorityOptions): TimestampSource {
  const { roots, clock, deadlineMs = 15_000 } = options;
  const ask: Authority["ask"] = async (body, signal) => {
    let answer: Response;
    try {
      answer = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/timestamp-query" },
        body: new Uint8Array(body),
        signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
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
  return sourceOf({ name: url, independent: true, roots, clock, ask }, options);
}

const fileName = "timestamp-authority.json";

/**
 * The built-in authority, whose keys are made in that directory on first use. For development and closed networks.
 * @param options.profile what newly made keys are; those that exist stay.
 */
export async function builtInAuthority(
  keysDir: string,
  clock: Clock,
  options: { readonly profile?: TimestampProfile; readonly imprint?: ImprintAlgorithm } = {},
): Promise<TimestampSource> {
  const { profile = "ecdsa", imprint = "sha256" } = options;
  const path = join(keysDir, fileName);
  await writeOnce(path, () =>
    JSON.stringify(createTimestampAuthority({ name: "dockseal built-in", now: clock.now(), profile })),
  );
  const keys = JSON.parse(await readFile(path, "utf8")) as TimestampAuthorityKeys;
  const authority = new TimestampAuthority(keys, clock, randomBytes);
  const ask: Authority["ask"] = (request) => authority.respond(request);
  return sourceOf({ name: "built-in", independent: false, roots: [keys.rootPem], clock, ask }, { imprint });
}
