import { createHash } from "node:crypto";
import { parseVkey } from "./note-key.ts";
import { malformed } from "./refuse.ts";
import type { Certificate } from "./timestamp/certificate.ts";

/**
 * Sigstore's name of a log: the whole hash whose first four bytes are the key id in signed notes (C2SP signed-note).
 * @param vkey the log's verifier key.
 * @returns 32 bytes.
 * @throws DocksealError malformed-proof.
 */
export function logIdOf(vkey: string): Buffer {
  const { type, name, key } = parseVkey(vkey);
  if (type !== "note") throw malformed("log id: the key of a witness is no log's");
  const publicBytes = key.export({ format: "der", type: "spki" }).subarray(-32);
  return createHash("sha256").update(`${name}\n`).update(Buffer.of(0x01)).update(publicBytes).digest();
}

/**
 * Sigstore's `trusted_root.json` (sigstore_trustroot.proto): who is believed about logs and times. It has no place for
 * keys that sign artifacts: a verifier is given the seal key beside it.
 * @param logs verifier keys, and until when one that retired was used.
 * @param timestampChains of each authority: its certificate first, its root last.
 */
export function encodeTrustedRoot({
  logs,
  timestampChains,
}: {
  readonly logs: readonly { readonly vkey: string; readonly until?: Date }[];
  readonly timestampChains: readonly (readonly Certificate[])[];
}): string {
  const root = {
    mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    tlogs: logs.map(({ vkey, until }) => {
      const { name, key } = parseVkey(vkey);
      return {
        // verifiers look for the note's key name in it
        baseUrl: `https://${name}`,
        hashAlgorithm: "SHA2_256",
        publicKey: {
          rawBytes: key.export({ format: "der", type: "spki" }).toString("base64"),
          keyDetails: "PKIX_ED25519",
          validFor: { start: "1970-01-01T00:00:00Z", ...(until === undefined ? {} : { end: until.toISOString() }) },
        },
        logId: { keyId: logIdOf(vkey).toString("base64") },
      };
    }),
    timestampAuthorities: timestampChains.map((chain) => ({
      certChain: { certificates: chain.map(({ der }) => ({ rawBytes: der.toString("base64") })) },
      ...validityOf(chain),
    })),
  };
  return `${JSON.stringify(root, null, 2)}\n`;
}

/** While the authority's own certificate is valid. */
function validityOf([own]: readonly Certificate[]) {
  if (own === undefined) throw new RangeError("a chain begins with the authority's certificate");
  const { validFromDate, validToDate } = own.x509;
  return { validFor: { start: validFromDate.toISOString(), end: validToDate.toISOString() } };
}
