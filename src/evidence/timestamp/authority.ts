import { createHash, createPrivateKey, type KeyObject, sign } from "node:crypto";
import { type Clock, isProblem } from "#kernel";
import type { TimestampAuthorityKeys } from "./authority-keys.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import {
  contextConstructed,
  der,
  derInteger,
  derNamedBits,
  derOctets,
  derOid,
  derSequence,
  derSet,
  derTime,
  derUtf8,
} from "./der.ts";
import { signatureAlgorithmOf } from "./issue.ts";
import { parseTimestampRequest, type TimestampRequest } from "./messages.ts";
import { DIGESTS, OID } from "./oids.ts";
import { hasNoParameters } from "./verify.ts";

/**
 * Policy of the built-in authority: it keeps whatever time its computer has and is not independent of the log's
 * keeper. An identifier made from a UUID (ITU-T X.667 §7), because a policy of others would promise more.
 */
export const BUILT_IN_POLICY = "2.25.44983283249040050567032089443663548412";

/** PKIStatus and PKIFailureInfo bits (RFC 3161 §2.4.2). */
const GRANTED = 0;
const REJECTION = 2;
const BAD_ALGORITHM = 0;
const BAD_REQUEST = 2;
const BAD_DATA_FORMAT = 5;
const TIME_NOT_AVAILABLE = 14;
const UNACCEPTED_POLICY = 15;
const UNACCEPTED_EXTENSION = 16;

/** The built-in timestamp authority (RFC 3161), for development and closed networks. */
export class TimestampAuthority {
  readonly #key: KeyObject;
  readonly #certificate: Certificate;
  readonly #clock: Clock;
  readonly #randomness: (bytes: number) => Uint8Array;

  /**
   * @param keys see createTimestampAuthority.
   * @param randomness gives that many unpredictable bytes, e.g. node:crypto's randomBytes.
   */
  constructor(
    keys: Pick<TimestampAuthorityKeys, "keyPem" | "certificatePem">,
    clock: Clock,
    randomness: (bytes: number) => Uint8Array,
  ) {
    this.#key = createPrivateKey(keys.keyPem);
    this.#certificate = parseCertificate(keys.certificatePem);
    this.#clock = clock;
    this.#randomness = randomness;
  }

  /**
   * Answers one TimeStampReq with one TimeStampResp, both DER. Takes imprints of SHA-256, SHA-384, SHA-512 and SM3.
   * A bad request is answered with a rejection, never with an exception.
   */
  async respond(requestDer: Uint8Array): Promise<Buffer> {
    const now = this.#clock.now();
    const request = readRequest(requestDer);
    if (request === undefined) return rejection(BAD_DATA_FORMAT, "not a timestamp request in DER");
    if (request.version !== 1n) return rejection(BAD_REQUEST, "only version 1 is known");
    const digest = DIGESTS.get(request.imprint.algorithm.oid);
    if (digest === undefined || !hasNoParameters(request.imprint.algorithm)) {
      return rejection(BAD_ALGORITHM, "the digest algorithm is not accepted");
    }
    if (request.imprint.hash.length !== digest.bytes)
      return rejection(BAD_DATA_FORMAT, "the digest has a wrong length");
    if (request.policy !== undefined && request.policy !== BUILT_IN_POLICY) {
      return rejection(UNACCEPTED_POLICY, "there is no such policy here");
    }
    if (request.nonce !== undefined && request.nonce < 0n) return rejection(BAD_DATA_FORMAT, "the nonce is negative");
    if (request.hasExtensions) return rejection(UNACCEPTED_EXTENSION, "no extension is known");
    const { validFromDate, validToDate } = this.#certificate.x509;
    if (now < validFromDate || now > validToDate) {
      return rejection(TIME_NOT_AVAILABLE, "the authority's certificate is not valid now");
    }
    const info = this.#tstInfo(request, now);
    const token = signToken(info, this.#key, this.#certificate, request.wantsCertificate ? [this.#certificate] : []);
    return derSequence(derSequence(derInteger(GRANTED)), token);
  }

  #tstInfo({ imprint, nonce }: TimestampRequest, now: Date): Buffer {
    const { oid, parameters } = imprint.algorithm;
    const serial = BigInt(`0x${Buffer.from(this.#randomness(16)).toString("hex")}`);
    return derSequence(
      derInteger(1),
      derOid(BUILT_IN_POLICY),
      derSequence(derSequence(derOid(oid), parameters ?? Buffer.of()), derOctets(imprint.hash)),
      derInteger(serial),
      derTime(now),
      ...(nonce === undefined ? [] : [derInteger(nonce)]),
    );
  }
}

/**
 * TimeStampToken: CMS SignedData (RFC 5652 §5.1) over a TSTInfo, with the attributes that RFC 3161 §2.4.2 and
 * RFC 5816 §2.2.1 demand. With SHA-256, RSA or ECDSA as the key is.
 */
export function signToken(
  tstInfo: Buffer,
  key: KeyObject,
  signer: Certificate,
  certificates: readonly Certificate[],
): Buffer {
  const sha256 = derSequence(derOid(OID.sha256));
  const hash = (bytes: Buffer): Buffer => createHash("sha256").update(bytes).digest();
  const directoryName = der(contextConstructed(4), signer.issuer);
  const issuerSerial = derSequence(derSequence(directoryName), derInteger(signer.serial));
  const certificateId = derSequence(derOctets(hash(signer.der)), issuerSerial); // SHA-256 is the default
  const attributes = derSet(
    attribute(OID.contentType, derOid(OID.tstInfo)),
    attribute(OID.messageDigest, derOctets(hash(tstInfo))),
    attribute(OID.signingCertificateV2, derSequence(derSequence(certificateId))),
  );
  const signerInfo = derSequence(
    derInteger(1),
    derSequence(signer.issuer, derInteger(signer.serial)),
    sha256,
    // implicit tag instead of SET in the message, but not under the signature (RFC 5652 §5.4)
    Buffer.concat([Buffer.of(contextConstructed(0)), attributes.subarray(1)]),
    signatureAlgorithmOf(key),
    derOctets(sign("sha256", attributes, key)),
  );
  const signedData = derSequence(
    derInteger(3),
    derSet(sha256),
    derSequence(derOid(OID.tstInfo), der(contextConstructed(0), derOctets(tstInfo))),
    ...(certificates.length === 0 ? [] : [der(contextConstructed(0), ...certificates.map((each) => each.der))]),
    derSet(signerInfo),
  );
  return derSequence(derOid(OID.signedData), der(contextConstructed(0), signedData));
}

function attribute(oid: string, value: Buffer): Buffer {
  return derSequence(derOid(oid), derSet(value));
}

function readRequest(requestDer: Uint8Array): TimestampRequest | undefined {
  try {
    return parseTimestampRequest(requestDer);
  } catch (error) {
    if (isProblem(error, "malformed-proof")) return undefined;
    throw error;
  }
}

function rejection(failure: number, text: string): Buffer {
  return derSequence(derSequence(derInteger(REJECTION), derSequence(derUtf8(text)), derNamedBits(failure)));
}
