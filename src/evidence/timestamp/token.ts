import { type Certificate, type Extension, readAlgorithm, readCertificate, readExtensions } from "./certificate.ts";
import { timestampRejected } from "./checks.ts";
import { context, contextConstructed, DerReader, readAll, TAG } from "./der.ts";
import { OID } from "./oids.ts";

export interface Algorithm {
  readonly oid: string;
  readonly parameters: Buffer | undefined;
}

/** What the time was given for: digest algorithm and digest. */
export interface MessageImprint {
  readonly algorithm: Algorithm;
  readonly hash: Buffer;
}

/** How far genTime may be off (RFC 3161 §2.4.2). */
export interface Accuracy {
  readonly seconds?: number;
  readonly millis?: number;
  readonly micros?: number;
}

/** RFC 3161 §2.4.2. */
export interface TstInfo {
  readonly version: bigint;
  readonly policy: string;
  readonly imprint: MessageImprint;
  readonly serial: bigint;
  readonly genTime: Date;
  readonly accuracy: Accuracy | undefined;
  readonly nonce: bigint | undefined;
  /** DER of the GeneralName. */
  readonly tsa: Buffer | undefined;
  readonly extensions: ReadonlyMap<string, Extension>;
}

/** CMS SignedData with its one SignerInfo (RFC 5652 §5), as far as a timestamp uses it. */
export interface Token {
  readonly version: bigint;
  readonly digestAlgorithms: readonly Algorithm[];
  readonly contentType: string;
  /** What is signed; of a timestamp the DER of the TSTInfo. */
  readonly content: Uint8Array;
  readonly certificates: readonly Certificate[];
  readonly signer: SignerInfo;
}

export interface SignerInfo {
  readonly version: bigint;
  /** DER of the issuer's name. */
  readonly issuer: Buffer;
  readonly serial: bigint;
  readonly digestAlgorithm: Algorithm;
  /** DER of the attributes as a SET OF: what the signature covers (RFC 5652 §5.4). */
  readonly signedBytes: Buffer;
  /** Object identifier to DER of the value; each has exactly one. */
  readonly attributes: ReadonlyMap<string, Buffer>;
  readonly signatureAlgorithm: Algorithm;
  readonly signature: Buffer;
}

/**
 * @param detached the content, when the message must not hold it itself (RFC 5652 §5.2).
 * @throws DocksealError malformed-proof, or timestamp-rejected where the structure itself breaks a rule.
 */
export function parseToken(der: Uint8Array, detached?: Uint8Array): Token {
  return readAll(der, (reader) =>
    reader.enter(TAG.sequence, (info) => {
      if (info.oid() !== OID.signedData) throw timestampRejected("content-type", "not CMS signed data");
      return info.enter(contextConstructed(0), (explicit) =>
        explicit.enter(TAG.sequence, (data) => readSignedData(data, detached)),
      );
    }),
  );
}

export function parseTstInfo(der: Uint8Array): TstInfo {
  return readAll(der, (reader) =>
    reader.enter(TAG.sequence, (info) => {
      const version = info.integer();
      const policy = info.oid();
      const imprint = readImprint(info);
      const serial = info.integer();
      const genTime = info.generalizedTime();
      const accuracy = info.maybeEnter(TAG.sequence, readAccuracy);
      if (info.peek() === TAG.boolean) info.boolean(); // ordering: says nothing about one token
      const nonce = info.peek() === TAG.integer ? info.integer() : undefined;
      const tsa = info.maybeEnter(contextConstructed(0), (explicit) => explicit.next().encoded);
      const extensions = info.maybeEnter(contextConstructed(1), readExtensions) ?? new Map<string, Extension>();
      return { version, policy, imprint, serial, genTime, accuracy, nonce, tsa, extensions };
    }),
  );
}

export function readImprint(reader: DerReader): MessageImprint {
  return reader.enter(TAG.sequence, (imprint) => ({ algorithm: readAlgorithm(imprint), hash: imprint.octets() }));
}

function readAccuracy(reader: DerReader): Accuracy {
  const part = (tag: number): number | undefined => (reader.peek() === tag ? Number(reader.integer(tag)) : undefined);
  const [seconds, millis, micros] = [part(TAG.integer), part(context(0)), part(context(1))];
  return {
    ...(seconds === undefined ? {} : { seconds }),
    ...(millis === undefined ? {} : { millis }),
    ...(micros === undefined ? {} : { micros }),
  };
}

function readSignedData(data: DerReader, detached: Uint8Array | undefined): Token {
  const version = data.integer();
  const digestAlgorithms = data.enter(TAG.set, (set) => set.rest(readAlgorithm));
  const { contentType, content } = data.enter(TAG.sequence, (encapsulated) => ({
    contentType: encapsulated.oid(),
    content: detached ?? encapsulated.enter(contextConstructed(0), (explicit) => explicit.octets()),
  }));
  const certificates = data.maybeEnter(contextConstructed(0), (set) => set.rest(readCertificate)) ?? [];
  data.maybe(contextConstructed(1)); // revocation lists: not used
  const signers = data.next(TAG.set).content;
  const count = new DerReader(signers).rest((reader) => reader.next(TAG.sequence)).length;
  if (count !== 1) throw timestampRejected("one-signer", `${count} signers`);
  const signer = readAll(signers, (reader) => reader.enter(TAG.sequence, readSigner));
  return { version, digestAlgorithms, contentType, content, certificates, signer };
}

function readSigner(info: DerReader): SignerInfo {
  const version = info.integer();
  const { issuer, serial } = info.enter(TAG.sequence, (id) => ({
    issuer: id.next(TAG.sequence).encoded,
    serial: id.integer(),
  }));
  const digestAlgorithm = readAlgorithm(info);
  const signed = info.maybe(contextConstructed(0));
  if (signed === undefined) throw timestampRejected("signed-attributes", "there are none");
  const signatureAlgorithm = readAlgorithm(info);
  const signature = info.octets();
  info.maybe(contextConstructed(1)); // unsigned attributes: not believed
  const signedBytes = Buffer.concat([Buffer.of(TAG.set), signed.encoded.subarray(1)]);
  const attributes = readAttributes(new DerReader(signed.content));
  return { version, issuer, serial, digestAlgorithm, signedBytes, attributes, signatureAlgorithm, signature };
}

function readAttributes(reader: DerReader): Map<string, Buffer> {
  const attributes = new Map<string, Buffer>();
  const list = reader.rest((all) =>
    all.enter(TAG.sequence, (attribute) => ({
      oid: attribute.oid(),
      values: attribute.enter(TAG.set, (set) => set.rest((value) => value.next().encoded)),
    })),
  );
  for (const { oid, values } of list) {
    const [value] = values;
    if (value === undefined || values.length > 1 || attributes.has(oid)) {
      throw timestampRejected("signed-attributes", "one stands there twice, or without exactly one value");
    }
    attributes.set(oid, value);
  }
  return attributes;
}
