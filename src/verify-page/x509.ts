import { type Certificate, type DerReader, OID, readAll, readExtensions, SIGNATURES, TAG } from "#evidence";
import { KeyObject } from "./public-keys.ts";
import { verify } from "./signatures.ts";

// X509Certificate of node:crypto, as far as path validation uses it, with what OpenSSL checks behind it.

/** keyCertSign (RFC 5280 §4.2.1.3). */
const KEY_CERT_SIGN = 5;
const CONTEXT = {
  keyIdentifier: 0x80,
  serial: 0x82,
  issuer: 0xa1,
  version: 0xa0,
  extensions: 0xa3,
  directoryName: 0xa4,
};

const NAMES: ReadonlyMap<string, string> = new Map([
  ["2.5.4.3", "CN"],
  ["2.5.4.5", "serialNumber"],
  ["2.5.4.6", "C"],
  ["2.5.4.7", "L"],
  ["2.5.4.8", "ST"],
  ["2.5.4.10", "O"],
  ["2.5.4.11", "OU"],
  ["1.2.840.113549.1.9.1", "emailAddress"],
]);

/** Broken ones are read as well: that they are broken is for path validation to say. */
const BROKEN: typeof SIGNATURES = new Map([
  ["1.2.840.113549.1.1.5", { key: "rsa", digest: "sha1" }],
  ["1.2.840.10045.4.1", { key: "ec", digest: "sha1" }],
]);
const algorithmOf = (oid: string) => SIGNATURES.get(oid) ?? BROKEN.get(oid);

type Extensions = Certificate["extensions"];

export class X509Certificate {
  readonly #tbs: Buffer;
  readonly #signatureAlgorithm: string;
  readonly #signature: Buffer;
  readonly #serial: bigint;
  readonly #issuer: Buffer;
  readonly #subject: Buffer;
  readonly #extensions: Extensions;
  readonly publicKey: KeyObject;
  readonly validFromDate: Date;
  readonly validToDate: Date;

  /** @throws Error when it cannot be read. */
  constructor(der: Uint8Array) {
    const read = readAll(der, (reader) => reader.enter(TAG.sequence, readCertificateParts));
    this.#tbs = read.tbs;
    this.#signatureAlgorithm = read.signatureAlgorithm;
    this.#signature = read.signature;
    this.#serial = read.serial;
    this.#issuer = read.issuer;
    this.#subject = read.subject;
    this.#extensions = read.extensions;
    this.publicKey = new KeyObject(read.key);
    this.validFromDate = read.from;
    this.validToDate = read.to;
  }

  /** One line a part, e.g. `O=…` and `CN=…`. */
  get subject(): string {
    return readAll(this.#subject, (reader) =>
      reader.enter(TAG.sequence, (names) =>
        names.rest((name) =>
          name.enter(TAG.set, (parts) => parts.rest((part) => part.enter(TAG.sequence, readNamePart))).join("+"),
        ),
      ),
    ).join("\n");
  }

  /**
   * Could `issuer` have issued this: names chain, key identifiers do not contradict it, its key may sign certificates and
   * is of the kind that signed this (X509_check_issued of OpenSSL).
   */
  checkIssued(issuer: X509Certificate): boolean {
    if (!this.#issuer.equals(issuer.#subject)) return false;
    if (algorithmOf(this.#signatureAlgorithm)?.key !== issuer.publicKey.asymmetricKeyType) return false;
    const authority = this.#extensions.get(OID.authorityKeyIdentifier);
    if (authority !== undefined && !issuer.#isNamedBy(authority.value)) return false;
    const usage = issuer.#extensions.get(OID.keyUsage);
    return usage === undefined || readAll(usage.value, (reader) => reader.bits())[KEY_CERT_SIGN] === true;
  }

  /** Did this key sign the certificate? */
  verify(key: KeyObject): boolean {
    const algorithm = algorithmOf(this.#signatureAlgorithm);
    if (algorithm === undefined || algorithm.key !== key.asymmetricKeyType) return false;
    return verify(algorithm.digest, this.#tbs, key, this.#signature);
  }

  /** AuthorityKeyIdentifier (RFC 5280 §4.2.1.1): what it says must be so, where this has it. */
  #isNamedBy(authority: Buffer): boolean {
    return readAll(authority, (reader) =>
      reader.enter(TAG.sequence, (inside) => {
        const keyIdentifier = inside.maybe(CONTEXT.keyIdentifier)?.content;
        const issuer = inside.maybe(CONTEXT.issuer)?.content;
        const serial = inside.peek() === CONTEXT.serial ? inside.integer(CONTEXT.serial) : undefined;
        const own = this.#extensions.get(OID.subjectKeyIdentifier);
        const ownIdentifier = own === undefined ? undefined : readAll(own.value, (value) => value.octets());
        if (keyIdentifier !== undefined && ownIdentifier !== undefined && !keyIdentifier.equals(ownIdentifier)) {
          return false;
        }
        if (serial !== undefined && serial !== this.#serial) return false;
        const names = issuer === undefined ? [] : readAll(issuer, (list) => list.rest((name) => name.next()));
        const directory = names.find(({ tag }) => tag === CONTEXT.directoryName);
        return directory === undefined || directory.content.equals(this.#issuer);
      }),
    );
  }
}

function readCertificateParts(certificate: DerReader) {
  const tbs = certificate.next(TAG.sequence);
  const signatureAlgorithm = certificate.enter(TAG.sequence, (algorithm) => {
    const oid = algorithm.oid();
    if (algorithm.peek() !== undefined) algorithm.next();
    return oid;
  });
  const [unused, ...signature] = certificate.next(TAG.bitString).content;
  if (unused !== 0) throw new Error("a signature of broken bytes");
  return { tbs: tbs.encoded, signatureAlgorithm, signature: Buffer.from(signature), ...readAll(tbs.content, readTbs) };
}

function readTbs(tbs: DerReader) {
  const version = tbs.maybeEnter(CONTEXT.version, (explicit) => explicit.integer()) ?? 0n;
  const serial = tbs.integer();
  tbs.next(TAG.sequence); // algorithm: compared with the outer one by whoever reads certificates
  const issuer = tbs.next(TAG.sequence).encoded;
  const [from, to] = tbs.enter(TAG.sequence, (validity) => [validity.time(), validity.time()] as const);
  const subject = tbs.next(TAG.sequence).encoded;
  const key = tbs.next(TAG.sequence).encoded;
  const extensions = tbs.maybeEnter(CONTEXT.extensions, (explicit) => explicit.enter(TAG.sequence, readExtensions));
  if (version < 0n || version > 2n) throw new Error("another version");
  return { serial, issuer, from, to, subject, key, extensions: extensions ?? new Map() };
}

function readNamePart(part: DerReader): string {
  const oid = part.oid();
  const { tag, content } = part.next();
  // BMPString holds two bytes a letter, big-endian; the other kinds are UTF-8 or part of it
  const text = tag === 0x1e ? new TextDecoder("utf-16be").decode(content) : content.toString("utf8");
  return `${NAMES.get(oid) ?? oid}=${text}`;
}
