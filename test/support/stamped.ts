import { randomBytes } from "node:crypto";
import {
  type ImprintAlgorithm,
  imprintsOf,
  parseTimestampResponse,
  TimestampAuthority,
  type TimestampAuthorityKeys,
  timestampRequest,
} from "#evidence";

/** A token that such an authority gives at that moment, over data or over its digest. */
export async function stamped(
  keys: TimestampAuthorityKeys,
  at: Date,
  data: Uint8Array | { readonly digest: Uint8Array },
  algorithm: ImprintAlgorithm = "sha256",
): Promise<Buffer> {
  const authority = new TimestampAuthority(keys, { now: () => at }, randomBytes);
  const imprint = data instanceof Uint8Array ? imprintsOf(data)[algorithm] : data.digest;
  const request = timestampRequest({ imprint, algorithm, nonce: 1n });
  const { tokenDer } = parseTimestampResponse(await authority.respond(request));
  if (tokenDer === undefined) throw new Error("the authority refused");
  return tokenDer;
}
