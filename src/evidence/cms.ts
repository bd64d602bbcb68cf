import { createHash, createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { DocksealError, isProblem } from "#kernel";
import { rejected } from "./refuse.ts";
import { shortText } from "./strict-json.ts";
import { type Certificate, parseCertificate } from "./timestamp/certificate.ts";
import {
  contextConstructed,
  der,
  derInteger,
  derNamedBits,
  derOctets,
  derOid,
  derSequence,
  derSet,
  readAll,
  TAG,
} from "./timestamp/der.ts";
import { extension, type IssuedKey, issueUnderRoot, validityTime } from "./timestamp/issue.ts";
import { OID } from "./timestamp/oids.ts";
import { certificationPath } from "./timestamp/path.ts";
import { parseToken } from "./timestamp/token.ts";
import { checkAttributes, checkSignature, signerCertificate } from "./timestamp/verify.ts";

// Detached signatures over exports: CMS SignedData (RFC 5652 §5), in the form that `openssl cms -verify -binary` takes
// without further flags.

/** What signs exports: ECDSA P-256. */
export type ExportSigner = IssuedKey;

export interface VerifiedSignature {
  /** Subject of the signer's certificate, e.g. `CN=…, O=…`. */
  readonly signer: string;
  /** Whole seconds, UTC. The signer's own word: a timestamp over the same bytes bounds it. */
  readonly signingTime: Date;
}

const LIFETIME_YEARS = 20;
const DIGITAL_SIGNATURE = 0;
const NON_REPUDIATION = 1;

/**
 * Makes a signer of exports: a root, and one certificate under it. The root's key is thrown away, so nothing else can
 * ever be issued under it; a new signer has a new root.
 * @param name common name, 1 to 48 characters.
 * @param now beginning of both certificates' validity (whole seconds).
 */
export function createExportSigner({ name, now }: { name: string; now: Date }): ExportSigner {
  const commonName = shortText(name, 48, "name of the export signer");
  const [root, keys] = [newKeyPair(), newKeyPair()];
  return issueUnderRoot({
    ...{ commonName, root, keys, from: now, years: LIFETIME_YEARS },
    usage: [
      extension(OID.keyUsage, true, derNamedBits(DIGITAL_SIGNATURE)),
      // the purpose that `openssl cms -verify` asks for when it is not told another one
      extension(OID.extendedKeyUsage, false, derSequence(derOid(OID.emailProtection))),
    ],
  });
}

function newKeyPair() {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

/**
 * Signs bytes without carrying them: ContentInfo of SignedData, DER, ECDSA with SHA-256, with the attributes content
 * type, message digest, signing time (RFC 5652 §11) and signing certificate (RFC 5035 §3), and the certificate.
 * @param at signing time; its milliseconds are cut off.
 */
export function signDetached(
  content: Uint8Array,
  signer: Pick<ExportSigner, "keyPem" | "certificatePem">,
  at: Date,
): Buffer {
  const certificate = parseCertificate(signer.certificatePem);
  const sha256 = derSequence(derOid(OID.sha256));
  const hash = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
  const certificateId = derSequence(derOctets(hash(certificate.der))); // SHA-256 is the default
  const attributes = derSet(
    attribute(OID.contentType, derOid(OID.data)),
    attribute(OID.messageDigest, derOctets(hash(content))),
    attribute(OID.signingTime, validityTime(at)),
    attribute(OID.signingCertificateV2, derSequence(derSequence(certificateId))),
  );
  const signerInfo = derSequence(
    derInteger(1),
    derSequence(certificate.issuer, derInteger(certificate.serial)),
    sha256,
    // implicit tag instead of SET in the message, but not under the signature (RFC 5652 §5.4)
    Buffer.concat([Buffer.of(contextConstructed(0)), attributes.subarray(1)]),
    derSequence(derOid(OID.ecdsaWithSha256)),
    derOctets(sign("sha256", attributes, createPrivateKey(signer.keyPem))),
  );
  const signedData = derSequence(
    derInteger(1),
    derSet(sha256),
    derSequence(derOid(OID.data)),
    der(contextConstructed(0), certificate.der),
    derSet(signerInfo),
  );
  return derSequence(derOid(OID.signedData), der(contextConstructed(0), signedData));
}

/**
 * Checks a detached signature at the time that it tells, as strictly as a timestamp is checked: one signer, whose
 * certificate may sign, was valid then and leads to a given root; all signed attributes that {@link signDetached}
 * writes, each once; nothing left over. Revocation is not looked up.
 * @param content the bytes that are said to be signed.
 * @param roots certificates to believe, PEM or DER.
 * @throws DocksealError malformed-proof (not such a message, or a root that is no certificate), proof-rejected.
 */
export function verifyDetached(
  message: Uint8Array,
  content: Uint8Array,
  { roots }: { readonly roots: readonly (string | Uint8Array)[] },
): VerifiedSignature {
  const believed = roots.map(parseCertificate);
  return asSignature(() => {
    const signed = parseToken(message, content);
    if (signed.contentType !== OID.data) throw rejected("cms: not a signature over plain data");
    // RFC 5652 §5.1, §5.3: 1, because the content is id-data and the signer is named by issuer and serial
    if (signed.version !== 1n || signed.signer.version !== 1n) throw rejected("cms: version of the signed data");
    const certificate = signerCertificate(signed, []);
    checkMaySign(certificate);
    const time = signed.signer.attributes.get(OID.signingTime);
    if (time === undefined) throw rejected("cms: the signing time is missing");
    const signingTime = readAll(time, (reader) => reader.time());
    const path = certificationPath(certificate, {
      roots: believed,
      intermediates: signed.certificates,
      at: signingTime,
    });
    checkAttributes(signed, path);
    checkSignature(signed.signer, certificate);
    return { signer: certificate.x509.subject.split("\n").join(", "), signingTime };
  });
}

function attribute(oid: string, value: Buffer): Buffer {
  return derSequence(derOid(oid), derSet(value));
}

/** What `openssl cms -verify` asks of a signer: where usages are limited, signing data must be among them. */
function checkMaySign({ extensions }: Certificate): void {
  const usage = extensions.get(OID.keyUsage);
  if (usage !== undefined) {
    const bits = readAll(usage.value, (reader) => reader.bits());
    if (!bits[DIGITAL_SIGNATURE] && !bits[NON_REPUDIATION]) throw rejected("cms: the signer's key may not sign");
  }
  const extended = extensions.get(OID.extendedKeyUsage);
  if (extended === undefined) return;
  const purposes = readAll(extended.value, (reader) =>
    reader.enter(TAG.sequence, (list) => list.rest((purpose) => purpose.oid())),
  );
  if (!purposes.includes(OID.emailProtection)) throw rejected("cms: the signer's certificate is for other purposes");
}

/** The parts that timestamps have in common with this say what failed as theirs. */
function asSignature<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!isProblem(error, "timestamp-rejected")) throw error;
    throw new DocksealError("proof-rejected", { detail: `cms: ${error.detail}`, cause: error });
  }
}
