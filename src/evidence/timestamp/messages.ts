import { asDer, timestampRejected } from "./checks.ts";
import {
  contextConstructed,
  derInteger,
  derNull,
  derOctets,
  derOid,
  derSequence,
  derTrue,
  readAll,
  TAG,
} from "./der.ts";
import type { ImprintAlgorithm } from "./imprints.ts";
import { FAILURES, OID } from "./oids.ts";
import { type MessageImprint, readImprint } from "./token.ts";

export interface TimestampQuestion {
  /** Digest of what is to be timestamped, 32 bytes. */
  readonly imprint: Uint8Array;
  /** What the imprint is made with: SHA-256 unless said otherwise. */
  readonly algorithm?: ImprintAlgorithm;
  /** Random and not negative; at least 64 bits make an answer fresh. */
  readonly nonce: bigint;
  /** Wanted policy, dotted object identifier. */
  readonly policy?: string;
}

/** TimeStampReq in DER (RFC 3161 §2.4.1), as `application/timestamp-query`. Asks for the authority's certificate. */
export function timestampRequest({ imprint, algorithm = "sha256", nonce, policy }: TimestampQuestion): Buffer {
  if (imprint.length !== 32 || nonce < 0n) throw new RangeError("an imprint has 32 bytes, a nonce is not negative");
  return derSequence(
    derInteger(1),
    derSequence(derSequence(derOid(OID[algorithm]), derNull()), derOctets(imprint)),
    ...(policy === undefined ? [] : [derOid(policy)]),
    derInteger(nonce),
    derTrue(),
  );
}

export interface TimestampRequest {
  readonly version: bigint;
  readonly imprint: MessageImprint;
  readonly policy: string | undefined;
  readonly nonce: bigint | undefined;
  readonly wantsCertificate: boolean;
  readonly hasExtensions: boolean;
}

/** @throws DocksealError malformed-proof. */
export function parseTimestampRequest(der: Uint8Array): TimestampRequest {
  return readAll(der, (reader) =>
    reader.enter(TAG.sequence, (request) => ({
      version: request.integer(),
      imprint: readImprint(request),
      policy: request.peek() === TAG.oid ? request.oid() : undefined,
      nonce: request.peek() === TAG.integer ? request.integer() : undefined,
      wantsCertificate: request.peek() === TAG.boolean && request.boolean(),
      hasExtensions: request.maybe(contextConstructed(0)) !== undefined,
    })),
  );
}

export interface TimestampResponse {
  /** PKIStatus: 0 granted, 1 granted with modifications, 2 and more refused or waiting. */
  readonly status: number;
  /** What the authority says about it. */
  readonly statusText: readonly string[];
  /** Names of PKIFailureInfo, e.g. `badAlg`; empty when granted. */
  readonly failInfo: readonly string[];
  /** The token, exactly when granted. Not verified yet. */
  readonly tokenDer: Buffer | undefined;
}

/**
 * Takes a TimeStampResp apart (RFC 3161 §2.4.2), as `application/timestamp-reply`.
 * @throws DocksealError timestamp-rejected (check `der` or `status`).
 */
export function parseTimestampResponse(der: Uint8Array): TimestampResponse {
  const response = asDer(() =>
    readAll(der, (reader) =>
      reader.enter(TAG.sequence, (inside) => ({
        ...inside.enter(TAG.sequence, (info) => ({
          status: Number(info.integer()),
          statusText: info.maybeEnter(TAG.sequence, (texts) => texts.rest((text) => text.octets(TAG.utf8String))) ?? [],
          failBits: info.peek() === TAG.bitString ? info.bits() : [],
        })),
        tokenDer: inside.maybe(TAG.sequence)?.encoded,
      })),
    ),
  );
  const { status, failBits, tokenDer } = response;
  if ((status === 0 || status === 1) !== (tokenDer !== undefined)) {
    throw timestampRejected("status", "a token exactly when granted");
  }
  return {
    status,
    statusText: response.statusText.map((text) => text.toString("utf8")),
    failInfo: failBits.flatMap((set, bit) => (set ? [FAILURES.get(bit) ?? `bit ${bit}`] : [])),
    tokenDer,
  };
}
