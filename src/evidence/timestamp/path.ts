import type { Certificate } from "./certificate.ts";
import { type TimestampCheck, timestampRejected } from "./checks.ts";
import { type DerReader, readAll, TAG } from "./der.ts";
import { OID, SIGNATURES } from "./oids.ts";

/** Certificates of one path, the root included. */
const MAX_PATH = 6;
/** Signature checks in search of a path: a hostile token could carry many certificates that sign each other. */
const MAX_SEARCH = 100;
const MIN_RSA_BITS = 2048;

const DIGITAL_SIGNATURE = 0;
const NON_REPUDIATION = 1;

/** Extensions that are checked here or that forbid nothing here. Any other that is critical is refused. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  OID.subjectKeyIdentifier,
  OID.keyUsage,
  OID.subjectAltName,
  OID.basicConstraints,
  OID.certificatePolicies,
  OID.authorityKeyIdentifier,
  OID.extendedKeyUsage,
]);

export interface TrustedBy {
  readonly roots: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  /** The moment at which every certificate must be valid. */
  readonly at: Date;
}

/**
 * Finds and validates a path from a signer to a root (RFC 5280 §6.1, without revocation and policies; names must
 * chain, as `openssl verify` has it).
 * @returns the path, signer first, root last.
 * @throws DocksealError timestamp-rejected: `chain` when no path exists, else what is wrong with the first one found.
 */
export function certificationPath(signer: Certificate, trusted: TrustedBy): Certificate[] {
  let firstError: unknown;
  for (const path of pathsFrom(signer, trusted)) {
    try {
      checkPath(path, trusted.at);
      return path;
    } catch (error) {
      firstError ??= error;
    }
  }
  throw firstError ?? timestampRejected("chain", "no path from the signer to a trusted root");
}

/** RFC 3161 §2.3: critical, and nothing but timeStamping. Key usage as `openssl ts -verify` wants it. */
export function checkSignerPurpose({ extensions }: Certificate): void {
  const usage = extensions.get(OID.extendedKeyUsage);
  if (usage === undefined) throw timestampRejected("extended-key-usage", "the signer's certificate has none");
  const purposes = readAll(usage.value, (reader) =>
    reader.enter(TAG.sequence, (list) => list.rest((purpose) => purpose.oid())),
  );
  if (purposes.length !== 1 || purposes[0] !== OID.timeStamping) {
    throw timestampRejected("extended-key-usage", "the signer's certificate is not for timestamps alone");
  }
  if (!usage.critical) throw timestampRejected("extended-key-usage", "not marked critical in the signer's certificate");
  const allowed = extensions.get(OID.keyUsage);
  if (allowed !== undefined && !isOnlySigning(readAll(allowed.value, (reader) => reader.bits()))) {
    throw timestampRejected("key-usage", "the signer's key may do other things than sign, or not sign");
  }
}

function isOnlySigning(bits: readonly boolean[]): boolean {
  const used = bits.flatMap((set, bit) => (set ? [bit] : []));
  return used.length > 0 && used.every((bit) => bit === DIGITAL_SIGNATURE || bit === NON_REPUDIATION);
}

/** All paths of certificates that name and sign each other, shortest first; nothing else is checked. */
function* pathsFrom(signer: Certificate, { roots, intermediates }: TrustedBy): Generator<Certificate[]> {
  let left = MAX_SEARCH;
  const issued = (subject: Certificate, issuer: Certificate): boolean => {
    if (left === 0) throw timestampRejected("chain", "too many certificates to search for a path");
    if (!subject.x509.checkIssued(issuer.x509)) return false;
    left -= 1;
    return subject.x509.verify(issuer.x509.publicKey);
  };
  // like `openssl verify`: an authority that another one certified is no root, whoever names it as one
  const anchors = roots.filter(({ issuer, subject }) => issuer.equals(subject));
  const begun = [{ path: [signer], last: signer }];
  for (const { path, last } of begun) {
    for (const root of anchors) if (issued(last, root)) yield [...path, root];
    if (path.length + 1 === MAX_PATH) continue;
    for (const next of intermediates) {
      const used = path.some(({ der }) => der.equals(next.der));
      if (!used && issued(last, next)) begun.push({ path: [...path, next], last: next });
    }
  }
}

function checkPath(path: readonly Certificate[], at: Date): void {
  for (const [depth, certificate] of path.entries()) {
    const { x509, extensions } = certificate;
    const fail = (check: TimestampCheck, detail: string): Error =>
      timestampRejected(check, `${detail}: ${x509.subject.replaceAll("\n", ", ")}`);
    if (at < x509.validFromDate || at > x509.validToDate) {
      throw fail("certificate-validity", "not valid at the time that is told");
    }
    // a root is believed because it was given, not for its signature
    if (depth < path.length - 1 && !SIGNATURES.has(certificate.signatureAlgorithm)) {
      throw fail("certificate-algorithm", "signed with an algorithm that is not accepted");
    }
    if ((x509.publicKey.asymmetricKeyDetails?.modulusLength ?? MIN_RSA_BITS) < MIN_RSA_BITS) {
      throw fail("certificate-algorithm", `an RSA key of less than ${MIN_RSA_BITS} bits`);
    }
    const unknown = [...extensions].find(([oid, { critical }]) => critical && !UNDERSTOOD.has(oid));
    if (unknown !== undefined) throw fail("critical-extension", `${unknown[0]} is not understood`);
    if (depth === 0) continue;
    // RFC 5280 §6.1.4 (k) to (m); (n), that its key may sign certificates, is part of `checkIssued`
    const constraints = basicConstraints(extensions);
    if (!constraints?.ca) throw fail("certificate-authority", "issues certificates without being an authority");
    const between = path.slice(1, depth).filter(({ issuer, subject }) => !issuer.equals(subject)).length;
    if (constraints.pathLength !== undefined && between > constraints.pathLength) {
      throw fail("certificate-authority", "more authorities below it than it allows");
    }
  }
}

function basicConstraints(extensions: Certificate["extensions"]) {
  const extension = extensions.get(OID.basicConstraints);
  if (extension === undefined) return undefined;
  return readAll(extension.value, (reader) =>
    reader.enter(TAG.sequence, (inside: DerReader) => ({
      ca: inside.peek() === TAG.boolean && inside.boolean(),
      pathLength: inside.peek() === undefined ? undefined : Number(inside.integer()),
    })),
  );
}
