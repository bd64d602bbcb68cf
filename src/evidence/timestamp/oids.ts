/** Object identifiers of RFC 3161, RFC 5652, RFC 5035, RFC 5280 and of the algorithms in use. */
export const OID = {
  data: "1.2.840.113549.1.7.1",
  signedData: "1.2.840.113549.1.7.2",
  tstInfo: "1.2.840.113549.1.9.16.1.4",
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  signingTime: "1.2.840.113549.1.9.5",
  signingCertificate: "1.2.840.113549.1.9.16.2.12",
  signingCertificateV2: "1.2.840.113549.1.9.16.2.47",
  sha256: "2.16.840.1.101.3.4.2.1",
  /** GB/T 32905, under the arc of the national cryptography administration. */
  sm3: "1.2.156.10197.1.401",
  rsaEncryption: "1.2.840.113549.1.1.1",
  sha256WithRsa: "1.2.840.113549.1.1.11",
  ecPublicKey: "1.2.840.10045.2.1",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  certificatePolicies: "2.5.29.32",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  emailProtection: "1.3.6.1.5.5.7.3.4",
  timeStamping: "1.3.6.1.5.5.7.3.8",
} as const;

/** Digests that may stand in an imprint or under a signature: node:crypto's name and bytes. None of them is broken. */
export const DIGESTS: ReadonlyMap<string, { readonly name: string; readonly bytes: number }> = new Map([
  [OID.sha256, { name: "sha256", bytes: 32 }],
  ["2.16.840.1.101.3.4.2.2", { name: "sha384", bytes: 48 }],
  ["2.16.840.1.101.3.4.2.3", { name: "sha512", bytes: 64 }],
  [OID.sm3, { name: "sm3", bytes: 32 }],
]);

/** Signature algorithms that are accepted: the kind of key, and the digest that the identifier fixes. */
export const SIGNATURES: ReadonlyMap<string, { readonly key: "rsa" | "ec"; readonly digest: string }> = new Map([
  [OID.sha256WithRsa, { key: "rsa", digest: "sha256" }],
  ["1.2.840.113549.1.1.12", { key: "rsa", digest: "sha384" }],
  ["1.2.840.113549.1.1.13", { key: "rsa", digest: "sha512" }],
  [OID.ecdsaWithSha256, { key: "ec", digest: "sha256" }],
  ["1.2.840.10045.4.3.3", { key: "ec", digest: "sha384" }],
  ["1.2.840.10045.4.3.4", { key: "ec", digest: "sha512" }],
]);

/** PKIFailureInfo (RFC 3161 §2.4.2): bit to name. */
export const FAILURES: ReadonlyMap<number, string> = new Map([
  [0, "badAlg"],
  [2, "badRequest"],
  [5, "badDataFormat"],
  [14, "timeNotAvailable"],
  [15, "unacceptedPolicy"],
  [16, "unacceptedExtension"],
  [17, "addInfoNotAvailable"],
  [25, "systemFailure"],
]);
