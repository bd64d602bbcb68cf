import { createHash } from "node:crypto";
import { decodeUtf8, parseReceipt } from "#evidence";
import { entryPath } from "./bag-custody.ts";
import type { BagFiles, MeasuredFile } from "./bag-files.ts";
import { CheckGroups } from "./check-groups.ts";
import { type CheckList, failed, needed } from "./check-list.ts";
import { type ReceiptExpectations, verifyReceipt } from "./receipt.ts";
import { verifySealBundle } from "./seal-bundle.ts";
import { type ReceiptSummary, summarizeReceipt } from "./summary.ts";
import type { Trust } from "./trust.ts";

const RECEIPTS = "data/receipts/";
const SEALS = "data/seals/";
const FOLDERS_OF_ORIGINALS = ["data/originals/", "data/text-records/"];

/** An original with its receipt, as far as both are there. */
export interface BagClip {
  readonly path: string;
  readonly facts: MeasuredFile;
  readonly receiptPath: string;
  readonly receipt: ReceiptSummary | undefined;
}

/** What is compared with, from elsewhere than the bag: as for a receipt, whose file is in the bag. */
export type BagExpectations = Omit<ReceiptExpectations, "file">;

/** Every original with its receipt and, where it has one, its seal bundle. @returns clip id to what was found. */
export async function checkClips(
  list: CheckList,
  files: BagFiles,
  given: BagExpectations,
): Promise<Map<string, BagClip>> {
  const { trust } = given;
  const groups = new CheckGroups();
  const clips = new Map<string, BagClip>();
  for (const [clipId, paths] of originalsOf(files, groups)) {
    const receiptPath = `${RECEIPTS}${clipId}.receipt.json`;
    const [path = ""] = paths;
    const facts = files.factsOf(path) as MeasuredFile;
    groups.make("original", "one file for each clip", clipId, () => {
      if (paths.length > 1) throw failed(`${paths.length} files instead of one: ${paths.join(", ")}`);
    });
    const text = await textOf(groups, files, { name: "original-receipt", good: "has its receipt", path: receiptPath });
    const receipt =
      text === undefined
        ? undefined
        : await checkReceipt(groups, { clipId, receiptPath, text, file: facts, given, files });
    clips.set(clipId, { path, facts, receiptPath, receipt });
  }
  for (const [path] of files.all(RECEIPTS)) {
    groups.make("receipt-original", "its original is in the bag", path, () => {
      if (!clips.has(path.slice(RECEIPTS.length).replace(/\.receipt\.json$/, "")))
        throw failed("of no original in the bag");
    });
  }
  await checkSeals(groups, { files, clips, trust });
  groups.into(list);
  return clips;
}

/** Clip id to the files in its folder. */
function originalsOf(files: BagFiles, groups: CheckGroups): Map<string, string[]> {
  const originals = new Map<string, string[]>();
  for (const folder of FOLDERS_OF_ORIGINALS) {
    for (const [path] of files.all(folder)) {
      const [clipId = "", ...name] = path.slice(folder.length).split("/");
      if (name.length === 1) originals.set(clipId, [...(originals.get(clipId) ?? []), path]);
      else {
        groups.make("original", "", path, () => {
          throw failed("does not lie in the folder of a clip");
        });
      }
    }
  }
  return originals;
}

interface ReceiptOfBag {
  readonly clipId: string;
  readonly receiptPath: string;
  readonly text: string;
  readonly file: MeasuredFile;
  readonly given: BagExpectations;
  readonly files: BagFiles;
}

async function checkReceipt(groups: CheckGroups, bag: ReceiptOfBag): Promise<ReceiptSummary | undefined> {
  const { clipId, receiptPath, text, file, given, files } = bag;
  const verdict = await verifyReceipt(text, { ...given, file });
  for (const check of verdict.checks) groups.add(receiptPath, { ...check, name: `receipt: ${check.name}` });
  const summary = groups.make("receipt-clip", "of the clip that its name says", receiptPath, () => {
    const summary = summarizeReceipt(text);
    if (summary.clipId !== clipId) throw failed(`of clip ${summary.clipId}`);
    return summary;
  });
  groups.make("receipt-custody", "the sealing is among the custody events in the bag", receiptPath, () => {
    const path = entryPath(needed(summary).log.index, "clip.sealed");
    const entry = createHash("sha256").update(parseReceipt(text).entry).digest("hex");
    if (files.factsOf(path)?.sha256 !== entry) throw failed(`the bag does not hold its entry as ${path}`);
  });
  return summary;
}

async function checkSeals(
  groups: CheckGroups,
  { files, clips, trust }: { files: BagFiles; clips: ReadonlyMap<string, BagClip>; trust: Trust | undefined },
): Promise<void> {
  for (const [path] of files.all(SEALS)) {
    const clip = clips.get(path.slice(SEALS.length).replace(/\.sigstore\.json$/, ""));
    groups.make("seal-original", "its original is in the bag", path, () => {
      if (clip === undefined) throw failed("of no original in the bag");
    });
    const text = await textOf(groups, files, { name: "seal-file", good: "can be read", path });
    if (text === undefined) continue;
    const options = { ...(clip === undefined ? {} : { file: clip.facts }), ...(trust === undefined ? {} : { trust }) };
    const { checks } = verifySealBundle(text, options);
    for (const check of checks) groups.add(path, { ...check, name: `seal: ${check.name}` });
  }
}

async function textOf(
  groups: CheckGroups,
  files: BagFiles,
  { name, good, path }: { name: string; good: string; path: string },
): Promise<string | undefined> {
  const bytes = await files.read(path);
  return groups.make(name, good, path, () => decodeUtf8(bytes(), path));
}
