import {
  decodeUtf8,
  imprintsOf,
  openCheckpoint,
  type VerifiedSignature,
  type VerifiedTimestamp,
  verifyDetached,
  verifyTimestampToken,
} from "#evidence";
import type { BagFiles } from "./bag-files.ts";
import { type CheckList, notChecked } from "./check-list.ts";
import type { Trust } from "./trust.ts";
import { checkWitnessed } from "./witnessed.ts";

const NO_TRUST = "no trust file was given: the keys in the bag are its own word";
const TAG_MANIFEST = "tagmanifest-sha256.txt";

export interface BagSeal {
  readonly signature: VerifiedSignature | undefined;
  readonly timestamp: VerifiedTimestamp | undefined;
}

/** What is made over the tag manifest, and so over every byte of the bag: signature and timestamp. */
export async function checkBagSeal(list: CheckList, files: BagFiles, trust: Trust | undefined): Promise<BagSeal> {
  const tagManifest = await files.read(TAG_MANIFEST);
  const message = await files.read(`signature/${TAG_MANIFEST}.p7s`);
  const token = await files.read(`signature/${TAG_MANIFEST}.tst`);
  const exportRoot = await files.read("keys/export-root.pem");
  const timestampRoots = await files.read("keys/timestamp-roots.pem");

  const verifySignature = (roots: readonly string[]) => verifyDetached(message(), tagManifest(), { roots });
  const signature = list.make("export-signature", "the whole bag is signed, by the key in the bag", () =>
    verifySignature(pemBlocks(exportRoot())),
  );
  list.make("export-signer-trusted", "signed by somebody who is trusted here", () => {
    if (trust === undefined) throw notChecked(NO_TRUST);
    if (trust.exportRoots === undefined) throw notChecked("the trust file names nobody who exports");
    verifySignature(trust.exportRoots);
  });

  const verifyToken = (roots: readonly string[]) => {
    return verifyTimestampToken(token(), { imprint: imprintsOf(tagManifest()), roots });
  };
  const timestamp = list.make("export-timestamp", "a time was given for the whole bag", () =>
    verifyToken(pemBlocks(timestampRoots())),
  );
  list.make("export-timestamp-trusted", "given by an authority that is trusted here", () => {
    if (trust === undefined) throw notChecked(NO_TRUST);
    verifyToken(trust.timestampRoots);
  });
  return { signature, timestamp };
}

/** The head of the log that every proof in the bag leads to. @returns its note, when its signature holds. */
export async function checkBagCheckpoint(
  list: CheckList,
  files: BagFiles,
  trust: Trust | undefined,
): Promise<string | undefined> {
  const note = await files.read("log/checkpoint");
  const keys = await files.read("keys/log.vkey");
  const text = (): string => decodeUtf8(note(), "log/checkpoint");
  const checkpoint = list.make("checkpoint-signature", "signed by the log's key in the bag", () => {
    const vkeys = decodeUtf8(keys(), "keys/log.vkey").trimEnd().split("\n");
    openCheckpoint(text(), vkeys);
    return text();
  });
  list.make("log-key-trusted", "signed by a log that is trusted here", () => {
    if (trust === undefined) throw notChecked(NO_TRUST);
    openCheckpoint(text(), trust.logs);
  });
  checkWitnessed(list, text, trust);
  return checkpoint;
}

function pemBlocks(bytes: Buffer): string[] {
  return bytes.toString("latin1").match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}
