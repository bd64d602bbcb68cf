import { createHash, createPublicKey } from "node:crypto";
import { bundleFromJSON } from "@sigstore/bundle";
import { PublicKeyDetails, TrustedRoot } from "@sigstore/protobuf-specs";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";

/** A bundle as JSON, of which a test changes one thing. */
export interface BundleJson {
  mediaType: string;
  verificationMaterial: {
    publicKey: { hint: string };
    tlogEntries: {
      logIndex: string;
      logId: { keyId: string };
      inclusionProof: {
        logIndex: string;
        rootHash: string;
        treeSize: string;
        hashes: string[];
        checkpoint: { envelope: string };
      };
      canonicalizedBody: string;
    }[];
    timestampVerificationData: { rfc3161Timestamps: { signedTimestamp: string }[] };
  };
  messageSignature: { messageDigest: { algorithm: string; digest: string }; signature: string };
}

/**
 * Checks a bundle with @sigstore/verify, which wants one entry of a log and one timestamp of an authority.
 * @param trust text of a `trusted_root.json`, and of PEM public keys.
 * @throws what Sigstore's packages throw.
 */
export function verifyBySigstore(
  bundle: BundleJson | string,
  file: Uint8Array,
  trust: { readonly root: string; readonly sealKeys: string },
): void {
  const keys = (trust.sealKeys.match(/-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----\n/g) ?? []).map((pem) => {
    const rawBytes = createPublicKey(pem).export({ format: "der", type: "spki" });
    const hint = createHash("sha256").update(rawBytes).digest("base64");
    return [hint, { rawBytes, keyDetails: PublicKeyDetails.PKIX_ECDSA_P256_SHA_256 }] as const;
  });
  const material = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(trust.root)), Object.fromEntries(keys));
  const parsed = bundleFromJSON(typeof bundle === "string" ? JSON.parse(bundle) : bundle);
  new Verifier(material, { tlogThreshold: 1, tsaThreshold: 1 }).verify(toSignedEntity(parsed, Buffer.from(file)));
}
