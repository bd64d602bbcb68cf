import type { Verdict } from "./check-list.ts";
import { type FileFacts, verifyReceipt } from "./receipt.ts";
import { verifySealBundle } from "./seal-bundle.ts";
import type { Trust } from "./trust.ts";

export interface DocumentVerdict extends Verdict {
  readonly kind: "receipt" | "seal-bundle";
}

/**
 * Checks a receipt or a seal bundle, whichever it is; what is neither fails as a receipt.
 * @param options.now what time it is where it is checked, see ReceiptExpectations.
 */
export async function verifyDocument(
  text: string,
  options: { readonly trust?: Trust; readonly file?: FileFacts; readonly now?: Date } = {},
): Promise<DocumentVerdict> {
  // a receipt holds no member of that name, and none of its values could
  if (/"mediaType"\s*:/.test(text)) return { kind: "seal-bundle", ...verifySealBundle(text, options) };
  return { kind: "receipt", ...(await verifyReceipt(text, options)) };
}
