import { parseReceipt, parseSealBundle, parseSealManifest } from "#evidence";
import { isProblem } from "#kernel";
import { type DocumentVerdict, type FileFacts, type Trust, verifyDocument } from "#verify";
import { settled } from "./signatures.ts";

export interface NamedText {
  readonly name: string;
  readonly text: string;
}

export interface Original {
  readonly name: string;
  readonly facts: FileFacts;
}

export interface Judged {
  readonly name: string;
  readonly text: string;
  readonly verdict: DocumentVerdict;
  /** What the document was compared with. */
  readonly original: Original | undefined;
}

export interface Judgement {
  readonly documents: readonly Judged[];
  /** Originals that no document is about. */
  readonly strays: readonly Original[];
}

/**
 * Checks everything that was dropped. A document is compared with the original that it names by its digest. What is then
 * left over of both belongs together when it is one of each: so a changed file fails beside its receipt.
 */
export async function judge(
  documents: readonly NamedText[],
  originals: readonly Original[],
  trust: Trust | undefined,
): Promise<Judgement> {
  const pairs = documents.map((document) => {
    const sha256 = digestIn(document.text);
    return { ...document, original: originals.find(({ facts }) => facts.sha256 === sha256) };
  });
  const strays = originals.filter((original) => !pairs.some((pair) => pair.original === original));
  const alone = pairs.filter((pair) => pair.original === undefined);
  const [stray] = strays;
  const [lone] = alone;
  if (stray !== undefined && strays.length === 1 && lone !== undefined && alone.length === 1) {
    lone.original = stray;
    strays.pop();
  }
  const judged: Judged[] = [];
  const now = new Date();
  for (const { name, text, original } of pairs) {
    const options = {
      now,
      ...(trust === undefined ? {} : { trust }),
      ...(original === undefined ? {} : { file: original.facts }),
    };
    judged.push({ name, text, original, verdict: await settled(() => verifyDocument(text, options)) });
  }
  return { documents: judged, strays };
}

/** The digest that a document is about; undefined when it cannot be read. Nothing of it is verified here. */
function digestIn(text: string): string | undefined {
  try {
    if (/"mediaType"\s*:/.test(text)) return parseSealBundle(text).sha256.toString("hex");
    return parseSealManifest(parseReceipt(text).manifest).sha256;
  } catch (error) {
    if (isProblem(error)) return undefined;
    throw error;
  }
}
