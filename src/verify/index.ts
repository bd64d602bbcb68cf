export { type BagVerdict, verifyBag } from "./bag.ts";
export type { BagEntry, BagReader } from "./bag-files.ts";
export type { Check, Verdict } from "./check-list.ts";
export { type DocumentVerdict, verifyDocument } from "./document.ts";
export { type FileFacts, type ReceiptExpectations, verifyReceipt } from "./receipt.ts";
export { type SealBundleExpectations, verifySealBundle } from "./seal-bundle.ts";
export { type ReceiptSummary, summarizeReceipt } from "./summary.ts";
export { parseTrust, type Trust } from "./trust.ts";
