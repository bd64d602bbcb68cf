import { p256, p384, p521 } from "@noble/curves/nist.js";
import { readAll, TAG } from "#evidence";

// KeyObject and createPublicKey of node:crypto, as far as public keys of the kinds that WebCrypto can check.

export interface KeyKind {
  readonly type: "ed25519" | "ec" | "rsa";
  /** Of elliptic curves; the name that WebCrypto has. */
  readonly curve?: "P-256" | "P-384" | "P-521";
  /** Of RSA. */
  readonly modulusLength?: number;
}

const ED25519 = "1.3.101.112";
const EC = "1.2.840.10045.2.1";
const RSA = "1.2.840.113549.1.1.1";
const CURVES = {
  "1.2.840.10045.3.1.7": { name: "P-256", curve: p256 },
  "1.3.132.0.34": { name: "P-384", curve: p384 },
  "1.3.132.0.35": { name: "P-521", curve: p521 },
} as const;

export class KeyObject {
  readonly type = "public";
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly kind: KeyKind;
  readonly #point: Buffer;

  /** @throws Error for a key of another kind, or one that is none. */
  constructor(spki: Uint8Array) {
    this.spki = Buffer.from(spki);
    const { kind, point } = readAll(this.spki, (reader) =>
      reader.enter(TAG.sequence, (info) => {
        const algorithm = info.next(TAG.sequence).content;
        const [unused, ...bytes] = info.next(TAG.bitString).content;
        if (unused !== 0) throw new Error("a key of broken bytes");
        const point = Buffer.from(bytes);
        return { kind: kindOf(algorithm, point), point };
      }),
    );
    this.kind = kind;
    this.#point = point;
  }

  get asymmetricKeyType(): string {
    return this.kind.type;
  }

  get asymmetricKeyDetails(): { modulusLength?: number } {
    const { modulusLength } = this.kind;
    return modulusLength === undefined ? {} : { modulusLength };
  }

  export(options: { format: "der"; type: "spki" }): Buffer;
  export(options: { format: "pem"; type: "spki" }): string;
  export(options: { format: "jwk" }): { crv?: string; x?: string; y?: string };
  export({ format }: { format: string }): Buffer | string | { crv?: string; x?: string; y?: string } {
    if (format === "der") return this.spki;
    if (format === "pem") {
      const lines = this.spki.toString("base64").match(/.{1,64}/g) ?? [];
      return `-----BEGIN PUBLIC KEY-----\n${lines.join("\n")}\n-----END PUBLIC KEY-----\n`;
    }
    const { curve } = this.kind;
    if (curve === undefined) return {};
    const half = (this.#point.length - 1) / 2;
    const part = (from: number): string => this.#point.subarray(from, from + half).toString("base64url");
    return { crv: curve, x: part(1), y: part(1 + half) };
  }
}

/** From a JSON Web Key of Ed25519, or a PEM block. */
export function createPublicKey(key: string | { key: { x: string }; format: "jwk" }): KeyObject {
  if (typeof key === "string") {
    const body = /^-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/=\r\n]+)-----END PUBLIC KEY-----\s*$/.exec(key)?.[1];
    if (body === undefined) throw new Error("not a public key in PEM");
    return new KeyObject(Buffer.from(body, "base64"));
  }
  // SubjectPublicKeyInfo of Ed25519 (RFC 8410 §4)
  const prefix = Buffer.from("302a300506032b6570032100", "hex");
  return new KeyObject(Buffer.concat([prefix, Buffer.from(key.key.x, "base64")]));
}

function kindOf(algorithm: Buffer, key: Buffer): KeyKind {
  return readAll(algorithm, (reader) => {
    const oid = reader.next(TAG.oid).encoded;
    const name = oidOf(oid);
    if (name === ED25519) {
      if (key.length !== 32) throw new Error("not a key of Ed25519");
      return { type: "ed25519" };
    }
    if (name === EC) return { type: "ec", curve: curveOf(oidOf(reader.next(TAG.oid).encoded), key) };
    if (name !== RSA) throw new Error("a kind of key that is not known");
    if (reader.next(TAG.null).content.length !== 0) throw new Error("parameters of RSA that are none");
    return { type: "rsa", modulusLength: modulusLengthOf(key) };
  });
}

function oidOf(encoded: Buffer): string {
  return readAll(encoded, (reader) => reader.oid());
}

function curveOf(oid: string, point: Buffer): "P-256" | "P-384" | "P-521" {
  const known = CURVES[oid as keyof typeof CURVES];
  if (known === undefined || point[0] !== 4) throw new Error("a curve, or a form of its points, that is not known");
  // on the curve, and not at infinity
  known.curve.Point.fromBytes(point).assertValidity();
  return known.name;
}

/** RSAPublicKey (RFC 8017 §A.1.1). */
function modulusLengthOf(key: Buffer): number {
  const modulus = readAll(key, (reader) =>
    reader.enter(TAG.sequence, (numbers) => {
      const modulus = numbers.integer();
      if (modulus <= 0n || numbers.integer() <= 0n) throw new Error("not a key of RSA");
      return modulus;
    }),
  );
  return modulus.toString(2).length;
}
