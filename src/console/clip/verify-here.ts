import { parseReceipt, parseSealManifest } from "#evidence";
import { isProblem } from "#kernel";
import type { Check } from "#verify";
import { type Dropped, readDropped } from "../../verify-page/dropped.ts";
import { judge } from "../../verify-page/judge.ts";
import { CHECKS, type Words } from "../../verify-page/words.ts";

// Verification by whoever looks, in the browser: the code of docs/verify.html, which is that of `dockseal verify`.

/** What came of one receipt or seal bundle. */
export interface FoundDocument {
  readonly name: string;
  /** It came from the server, and not from a file. */
  readonly ofServer: boolean;
  readonly ok: boolean;
  readonly withFile: boolean;
  /** It may hold, but is of another clip than the page. */
  readonly otherClip: boolean;
  /** What failed stands first. */
  readonly checks: readonly (Check & { readonly words: Words })[];
}

export interface Found {
  readonly documents: readonly FoundDocument[];
  /** Names of files that no receipt is about. */
  readonly strays: readonly string[];
  readonly trusted: boolean;
}

const fromServer = "receipt.json";

/** Everything that somebody gave to be checked of one clip; the newest of a name counts. */
export class OwnCheck {
  readonly #clipId: string;
  readonly #given = new Map<string, Dropped & { readonly ofServer: boolean }>();

  constructor(clipId: string) {
    this.#clipId = clipId;
  }

  takeReceipt(text: string): void {
    this.#given.set(fromServer, { kind: "document", name: fromServer, text, ofServer: true });
  }

  /** Reads files, large ones in pieces. @throws DocksealError `malformed-proof` for a trust file that is none. */
  async takeFiles(files: readonly File[], onProgress: (name: string, percent: number) => void): Promise<void> {
    for (const file of files) {
      const told = (done: number): void => onProgress(file.name, Math.floor((done / Math.max(file.size, 1)) * 100));
      this.#given.set(`file ${file.name}`, { ...(await readDropped(file, told)), ofServer: false });
    }
  }

  async judge(): Promise<Found> {
    const given = [...this.#given.values()];
    const documents = given.flatMap((item) => (item.kind === "document" ? [item] : []));
    const originals = given.flatMap((item) => (item.kind === "original" ? [item] : []));
    const trust = given.findLast((item) => item.kind === "trust");
    const judged = await judge(documents, originals, trust?.kind === "trust" ? trust.trust : undefined);
    return {
      trusted: trust !== undefined,
      strays: judged.strays.map(({ name }) => name),
      documents: judged.documents.map(({ name, text, verdict, original }, index) => {
        const otherClip = verdict.kind === "receipt" && clipIn(text) !== this.#clipId;
        const failed = (check: Check): boolean => check.status === "failed";
        const checks = [...verdict.checks.filter(failed), ...verdict.checks.filter((check) => !failed(check))];
        return {
          name,
          ofServer: documents[index]?.ofServer === true,
          ok: verdict.ok && !otherClip,
          withFile: original !== undefined,
          otherClip: verdict.ok && otherClip,
          checks: checks.map((check) => ({ ...check, words: wordsOf(check) })),
        };
      }),
    };
  }
}

function wordsOf({ name }: Check): Words {
  return CHECKS.get(name) ?? { zh: name, en: name };
}

/** The clip that a receipt is about; undefined when it cannot be read. */
function clipIn(text: string): string | undefined {
  try {
    return parseSealManifest(parseReceipt(text).manifest).clip;
  } catch (error) {
    if (isProblem(error)) return undefined;
    throw error;
  }
}
