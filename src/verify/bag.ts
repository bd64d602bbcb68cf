import { BINDING_EVENTS, checkCase } from "./bag-case.ts";
import { type BagExpectations, checkClips } from "./bag-clips.ts";
import { checkCustody } from "./bag-custody.ts";
import { BagFiles, type BagReader } from "./bag-files.ts";
import { checkManifests } from "./bag-manifests.ts";
import { checkBagCheckpoint, checkBagSeal } from "./bag-seal.ts";
import { CheckList, type Verdict } from "./check-list.ts";

export interface BagVerdict extends Verdict {
  /** Who signed the bag, e.g. `CN=…`, and when by that one's own word; when the signature holds. */
  readonly signedBy?: string;
  /** RFC 3339, UTC: what the timestamp over the bag tells, when it holds. */
  readonly timestampedAt?: string;
  readonly caseNumber?: string;
  /** How many originals are in the bag. */
  readonly originals: number;
}

/**
 * Checks an exported bag offline: docs/export.md has what is in one. Every file is read once from end to end, small ones
 * twice; memory is needed for names and digests, not for contents. Every check is made and reported, also after one has
 * failed. Never throws for what is in the bag, only what the reader throws.
 */
export async function verifyBag(reader: BagReader, given: BagExpectations = {}): Promise<BagVerdict> {
  const { trust } = given;
  const files = await BagFiles.measure(reader);
  const list = new CheckList();
  await checkManifests(list, files);
  const { signature, timestamp } = await checkBagSeal(list, files, trust);
  const checkpoint = await checkBagCheckpoint(list, files, trust);
  const events = await checkCustody(list, files, { checkpoint, wanted: BINDING_EVENTS });
  const clips = await checkClips(list, files, given);
  const caseNumber = await checkCase(list, files, { clips, events, checkpoint });
  return {
    ok: list.ok,
    checks: list.checks,
    originals: clips.size,
    ...(signature === undefined ? {} : { signedBy: signature.signer }),
    ...(timestamp === undefined ? {} : { timestampedAt: timestamp.genTime.toISOString() }),
    ...(caseNumber === undefined ? {} : { caseNumber }),
  };
}
