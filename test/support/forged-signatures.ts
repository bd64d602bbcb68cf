import { createHash, sign } from "node:crypto";
import {
  contextConstructed,
  der,
  derInteger,
  derOctets,
  derOid,
  derSequence,
  derSet,
} from "../../src/evidence/timestamp/der.ts";
import { validityTime } from "../../src/evidence/timestamp/issue.ts";
import { OID } from "../../src/evidence/timestamp/oids.ts";
import { attribute, certificateId, NOW, type Party, SHA256, signingCertificate } from "./forged-timestamps.ts";

// Detached signatures with any part wrong on purpose, rightly signed over whatever they hold.

export interface SignatureOptions {
  readonly contentType?: string;
  readonly version?: number;
  readonly signerVersion?: number;
  readonly signers?: number;
  readonly certificates?: readonly Buffer[];
  /** Certificates besides the signer's. */
  readonly more?: readonly Buffer[];
  readonly withoutAttributes?: boolean;
  readonly attributes?: (right: readonly Buffer[]) => readonly Buffer[];
  /** What stands where a signature that is not detached has its content. */
  readonly carried?: Buffer;
}

export function detached(signer: Party, content: Uint8Array, options: SignatureOptions = {}): Buffer {
  const { certificate } = signer;
  const contentType = derOid(options.contentType ?? OID.data);
  const right = [
    attribute(OID.contentType, contentType),
    attribute(OID.messageDigest, derOctets(createHash("sha256").update(content).digest())),
    attribute(OID.signingTime, validityTime(NOW)),
    signingCertificate(certificateId(certificate)),
  ];
  const attributes = derSet(...(options.attributes?.(right) ?? right));
  const info = derSequence(
    derInteger(options.signerVersion ?? 1),
    derSequence(certificate.issuer, derInteger(certificate.serial)),
    SHA256,
    options.withoutAttributes ? Buffer.of() : Buffer.concat([Buffer.of(contextConstructed(0)), attributes.subarray(1)]),
    derSequence(derOid(OID.ecdsaWithSha256)),
    derOctets(sign("sha256", attributes, signer.key)),
  );
  const certificates = options.certificates ?? [certificate.der, ...(options.more ?? [])];
  const data = derSequence(
    derInteger(options.version ?? 1),
    derSet(SHA256),
    derSequence(contentType, options.carried ?? Buffer.of()),
    der(contextConstructed(0), ...certificates),
    derSet(...Array.from({ length: options.signers ?? 1 }, () => info)),
  );
  return derSequence(derOid(OID.signedData), der(contextConstructed(0), data));
}
