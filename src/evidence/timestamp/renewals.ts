import { timestampRejected } from "./checks.ts";
import { imprintsOf } from "./imprints.ts";
import { type TimestampExpectations, type VerifiedTimestamp, verifyTimestampToken } from "./verify.ts";

/**
 * Checks a timestamp with its renewals (RFC 3161 §4: a token is timestamped again before its authority's key can no
 * longer be relied on). The first token is over what `imprint` is of, each further one over the DER of the token before,
 * and given while the certificates of the token before were valid.
 * @param tokens at least one, oldest first, DER.
 * @returns what each says, in the same order.
 * @throws DocksealError as verifyTimestampToken does; check `renewal` for one that came too late, or before its time.
 */
export function verifyTimestampChain(
  tokens: readonly Uint8Array[],
  { imprint, roots }: Pick<TimestampExpectations, "imprint" | "roots">,
): VerifiedTimestamp[] {
  const found: VerifiedTimestamp[] = [];
  let over = imprint;
  for (const [n, token] of tokens.entries()) {
    const verified = verifyTimestampToken(token, { imprint: over, roots });
    const before = found[n - 1];
    if (before !== undefined && (verified.genTime < before.genTime || verified.genTime > before.validUntil)) {
      throw timestampRejected("renewal", `number ${n} was not given while the token before was valid`);
    }
    found.push(verified);
    over = imprintsOf(token);
  }
  return found;
}
