import { createHash } from "node:crypto";
import {
  imprintsOf,
  inclusionHolds,
  leafHash,
  openCheckpoint,
  openingMatches,
  parseCheckpoint,
  parseLeaf,
  parseNote,
  parseOpening,
  parseReceipt,
  parseSealedDetails,
  parseSealManifest,
  parseTlogProof,
  type Receipt,
  type SealedDetails,
  type SealManifest,
  type VerifiedTimestamp,
  verifyTimestampChain,
  verifyTimestampToken,
} from "#evidence";
import { CheckList, failed, needed, notChecked, type Verdict } from "./check-list.ts";
import type { Trust } from "./trust.ts";
import { checkWitnessed } from "./witnessed.ts";

/** Digests of the file at hand, see ContentDigests. */
export interface FileFacts {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly sm3: string;
  readonly chunkRoot: string;
}

export interface ReceiptExpectations {
  /** Without it the keys inside the receipt are used, and whose they are is not checked. */
  readonly trust?: Trust;
  readonly file?: FileFacts;
  /** What time it is where the receipt is checked. Without it nothing is said about certificates that have ended since. */
  readonly now?: Date;
}

/**
 * Checks a receipt offline. Every check is made and reported, also after one has failed; one that needs what another
 * could not find is `not-checked`. Never throws for what is in the receipt.
 */
export async function verifyReceipt(text: string, { trust, file, now }: ReceiptExpectations = {}): Promise<Verdict> {
  const list = new CheckList();
  const receipt = list.make("receipt-format", "well formed", () => parseReceipt(text));

  const sealed = list.make("entry", "the log entry of a sealed clip", () => sealedEntry(needed(receipt).entry));
  list.make("inclusion-proof", "the entry stands in the log", () => {
    const { entry, proof } = needed(receipt);
    const { extra, index, hashes, checkpoint } = parseTlogProof(proof);
    // nothing vouches for it, so a receipt has none
    if (extra !== undefined) throw failed("the proof carries extra data");
    const { size, root } = parseCheckpoint(parseNote(checkpoint).text);
    if (!inclusionHolds({ index, size, leafHash: leafHash(entry), proof: hashes, root })) {
      throw failed("the entry does not stand in the log at this place");
    }
  });
  list.make("checkpoint-signature", "signed by the log's key in the receipt", () => {
    const { proof, logKey } = needed(receipt);
    openCheckpoint(parseTlogProof(proof).checkpoint, [logKey]);
  });
  list.make("log-key-trusted", "signed by a log that is trusted here", () => {
    if (trust === undefined) throw notChecked("no trust file was given: the log's key is the receipt's own word");
    openCheckpoint(parseTlogProof(needed(receipt).proof).checkpoint, trust.logs);
  });
  checkWitnessed(list, () => parseTlogProof(needed(receipt).proof).checkpoint, trust);

  const details = list.make("opening", "these are the details that were logged", () =>
    sealedDetails(needed(receipt).opening, needed(sealed), needed(receipt).timestampIndependent),
  );
  const manifest = list.make("manifest-format", "well formed", () => parseSealManifest(needed(receipt).manifest));
  list.make("manifest", "the manifest that was logged, of this clip", () => {
    const bytes = needed(receipt).manifest;
    if (needed(manifest).clip !== needed(sealed).clipId) throw failed("the manifest is of another clip");
    if (sha256(bytes) !== needed(details).manifestSha256) throw failed("the manifest is not the one that was logged");
  });

  const timestamp = list.make("timestamp-token", "a time was given for the manifest", () => {
    const { manifest: bytes, timestampToken, timestampRoots } = needed(receipt);
    return verifyTimestampToken(timestampToken, { imprint: imprintsOf(bytes), roots: timestampRoots });
  });
  list.make("timestamp-logged", "the timestamp that was logged", () =>
    checkLogged(needed(receipt).timestampToken, details, timestamp),
  );
  list.make("timestamp-authority-trusted", "given by an authority that is trusted here", () => {
    if (trust === undefined) throw notChecked("no trust file was given: the authority is the receipt's own word");
    verifyTimestampChain(tokensOf(needed(receipt)), {
      imprint: imprintsOf(needed(receipt).manifest),
      roots: trust.timestampRoots,
    });
  });
  const renewed = list.make("timestamp-renewals", "each taken over the one before, in time", () => {
    const { manifest: bytes, timestampRenewals, timestampRoots: roots } = needed(receipt);
    if (timestampRenewals === undefined) throw notChecked("the timestamp was not renewed");
    return verifyTimestampChain(tokensOf(needed(receipt)), { imprint: imprintsOf(bytes), roots });
  });
  checkCurrent(list, receipt?.timestampRenewals === undefined ? timestamp : renewed?.at(-1), now);
  list.make("timestamp-independent", "", () => {
    throw notChecked(
      needed(receipt).timestampIndependent
        ? "the log's keeper says that the authority is independent of it"
        : "the authority belongs to the log's keeper",
    );
  });
  list.make("retention", "locked in the store beyond the time of sealing", () => {
    const { until } = needed(manifest).stored.retention;
    if (new Date(until) <= needed(timestamp).genTime) throw failed(`locked only until ${until}`);
  });

  checkFile(list, file, manifest);
  return {
    ok: list.ok,
    ...(sealed === undefined ? {} : { clipId: sealed.clipId }),
    checks: list.checks,
  };
}

/** What a log entry `clip.sealed` says. */
function sealedEntry(entry: Buffer): { clipId: string; commitment: string } {
  const { type, subject, commitment } = parseLeaf(entry);
  const { clip: clipId, ...others } = subject;
  if (type !== "clip.sealed" || clipId === undefined || Object.keys(others).length > 0) {
    throw failed("the entry is not about the sealing of a clip");
  }
  return { clipId, commitment };
}

function sealedDetails(bytes: Buffer, entry: { commitment: string }, independent: boolean): SealedDetails {
  const opening = parseOpening(bytes);
  const details = parseSealedDetails(opening.details);
  if (!openingMatches(entry, opening)) throw failed("these are not the details that were logged");
  if (details.timestamp.independent !== independent) throw failed("the log says otherwise about independence");
  return details;
}

function checkLogged(
  token: Buffer,
  details: SealedDetails | undefined,
  timestamp: VerifiedTimestamp | undefined,
): void {
  const logged = needed(details).timestamp;
  if (sha256(token) !== logged.tokenSha256) throw failed("the timestamp is not the one that was logged");
  if (needed(timestamp).genTime.toISOString() !== logged.genTime) throw failed("it tells another time than was logged");
}

/** How far our clock may be behind the authority's. */
const clockToleranceMs = 5 * 60_000;

/**
 * A key whose certificate has ended is no longer looked after: nobody says any more that it was stolen, and whoever has
 * it can tell any time. So a token counts for as long as its certificate, unless it was renewed before (RFC 3161 §4).
 */
function checkCurrent(list: CheckList, newest: VerifiedTimestamp | undefined, now: Date | undefined): void {
  const end = newest?.validUntil.toISOString();
  list.make("timestamp-current", `the authority's certificate is valid until ${end}`, () => {
    const { genTime, validUntil } = needed(newest);
    if (now === undefined)
      throw notChecked(`the authority's certificate ends at ${end}; what time it is was not given`);
    if (now > validUntil) {
      throw failed(`the authority's certificate ended at ${end}: ask the log's keeper for the receipt as it is now`);
    }
    if (genTime.getTime() > now.getTime() + clockToleranceMs) {
      throw failed(`it tells a time that is still to come, ${genTime.toISOString()}, or the clock here is wrong`);
    }
  });
}

function tokensOf({ timestampToken, timestampRenewals = [] }: Receipt): Buffer[] {
  return [timestampToken, ...timestampRenewals];
}

function checkFile(list: CheckList, file: FileFacts | undefined, manifest: SealManifest | undefined): void {
  const same = (
    name: string,
    found: (file: FileFacts) => string | number,
    sealed: (of: SealManifest) => string | number,
  ) =>
    list.make(name, "the same as was sealed", () => {
      if (file === undefined) throw notChecked("no file was given");
      const expected = sealed(needed(manifest));
      if (found(file) !== expected) throw failed(`${found(file)} instead of ${expected}`);
    });
  same(
    "file-size",
    (f) => f.sizeBytes,
    (m) => m.sizeBytes,
  );
  same(
    "file-sha256",
    (f) => f.sha256,
    (m) => m.sha256,
  );
  same(
    "file-sm3",
    (f) => f.sm3,
    (m) => m.sm3,
  );
  same(
    "file-chunk-root",
    (f) => f.chunkRoot,
    (m) => m.chunkTree.root,
  );
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
