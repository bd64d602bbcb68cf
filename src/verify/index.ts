export { type Check, type FileFacts, type ReceiptExpectations, type Verdict, verifyReceipt } from "./receipt.ts";
export { type ReceiptSummary, summarizeReceipt } from "./summary.ts";
export { parseTrust, type Trust } from "./trust.ts";
