// The lines that a receiver types; those for the folder are the first of VERIFY.txt in the bag (src/export/verify-text.ts),
// and a test types what stands here.

/** `case-1.tar` as a word of the shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

export interface VerifySteps {
  /** Where the tar lies. */
  readonly unpack: readonly string[];
  /** Inside the folder. */
  readonly files: readonly string[];
  readonly signature: readonly string[];
  readonly timestamp: readonly string[];
  /** Beside the folder, where dockseal is installed. */
  readonly everything: readonly string[];
}

export function verifyLines({ name, sha256 }: { name: string; sha256: string }): VerifySteps {
  const folder = quoted(name.replace(/\.tar$/, ""));
  const token = "signature/tagmanifest-sha256.txt.tst";
  return {
    unpack: [
      // Two spaces: the format of sha256sum.
      `echo ${quoted(`${sha256}  ${name}`)} | sha256sum -c`,
      `tar -xf ${quoted(name)}`,
      `cd ${folder}`,
    ],
    files: [
      "sha256sum --quiet -c manifest-sha256.txt tagmanifest-sha256.txt",
      "sha512sum --quiet -c manifest-sha512.txt tagmanifest-sha512.txt",
    ],
    signature: [
      "openssl cms -verify -binary -inform DER -in signature/tagmanifest-sha256.txt.p7s -content tagmanifest-sha256.txt -CAfile keys/export-root.pem -out /dev/null",
    ],
    timestamp: [
      `openssl ts -verify -token_in -in ${token} -data tagmanifest-sha256.txt -CAfile keys/timestamp-roots.pem`,
    ],
    everything: ["npx dockseal verify . --trust keys/trust.json"],
  };
}
