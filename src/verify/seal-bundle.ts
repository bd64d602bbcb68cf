import { createHash } from "node:crypto";
import {
  digestSignatureHolds,
  inclusionHolds,
  leafHash,
  logIdOf,
  openCheckpoint,
  parseCheckpoint,
  parseHashedRekord,
  parseNote,
  parseSealBundle,
  parseSealKey,
  verifyTimestampToken,
} from "#evidence";
import { CheckList, failed, needed, notChecked, type Verdict } from "./check-list.ts";
import type { FileFacts } from "./receipt.ts";
import type { Trust } from "./trust.ts";

export interface SealBundleExpectations {
  /** Without it nobody vouches for key, log and time: a bundle names them, but holds no key of a log or authority. */
  readonly trust?: Trust;
  readonly file?: Pick<FileFacts, "sha256">;
}

/**
 * Checks a seal bundle offline. Every check is made and reported, also after one has failed; one that needs what another
 * could not find is `not-checked`. Never throws for what is in the bundle. It names no clip: the digest does.
 */
export function verifySealBundle(text: string, { trust, file }: SealBundleExpectations = {}): Verdict {
  const list = new CheckList();
  const bundle = list.make("bundle-format", "well formed", () => parseSealBundle(text));

  const record = list.make("log-entry", "the log entry publishes this digest and signature", () => {
    const { entry, sha256, signature } = needed(bundle);
    const record = parseHashedRekord(entry);
    if (record.sha256 !== sha256.toString("hex")) throw failed("the entry is about another file");
    if (!record.signature.equals(signature)) throw failed("the entry is about another signature");
    return record;
  });
  const key = list.make("key-hint", "the key in the entry is the one that the bundle names", () => {
    const key = parseSealKey(needed(record).publicPem);
    if (key.hint !== needed(bundle).keyHint) throw failed("the bundle names another key than the entry");
    return key;
  });
  list.make("signature", "made by that key over the file with this digest", () => {
    const { sha256, signature } = needed(bundle);
    if (!digestSignatureHolds(sha256, signature, needed(key).key)) throw failed("the signature is not of this key");
  });
  list.make("seal-key-trusted", "a key that is trusted here", () => {
    const trusted = trust?.sealKeys;
    if (trusted === undefined) throw notChecked("no trusted seal key was given: the key is the bundle's own word");
    const { hint } = needed(key);
    if (!trusted.some((pem) => parseSealKey(pem).hint === hint))
      throw failed("signed by a key that is not trusted here");
  });

  list.make("inclusion-proof", "the entry stands in the log", () => {
    const { entry, index, treeSize, root, hashes, checkpoint } = needed(bundle);
    const head = parseCheckpoint(parseNote(checkpoint).text);
    if (head.size !== treeSize || !head.root.equals(root)) throw failed("the proof leads to another checkpoint");
    if (!inclusionHolds({ index, size: treeSize, leafHash: leafHash(entry), proof: hashes, root })) {
      throw failed("the entry does not stand in the log at this place");
    }
  });
  list.make("log-key-trusted", "signed by a log that is trusted here", () => {
    if (trust === undefined) throw notChecked("no trust file was given, and a bundle holds no key of the log");
    const { checkpoint, logId } = needed(bundle);
    const named = trust.logs.filter((vkey) => logIdOf(vkey).equals(logId));
    if (named.length === 0) throw failed("the bundle names a log that is not trusted here");
    openCheckpoint(checkpoint, named);
  });
  list.make("timestamp-token", "a time was given for the signature, by an authority that is trusted here", () => {
    if (trust === undefined) throw notChecked("no trust file was given, and a bundle holds no root of the authority");
    const { signature, timestampToken } = needed(bundle);
    const imprint = createHash("sha256").update(signature).digest();
    verifyTimestampToken(timestampToken, { imprint, roots: trust.timestampRoots });
  });

  list.make("file-sha256", "the same as was sealed", () => {
    if (file === undefined) throw notChecked("no file was given");
    const expected = needed(bundle).sha256.toString("hex");
    if (file.sha256 !== expected) throw failed(`${file.sha256} instead of ${expected}`);
  });
  return { ok: list.ok, checks: list.checks };
}
