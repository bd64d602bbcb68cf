import { captureTime } from "./capture-time.ts";
import { dcam } from "./dcam.ts";
import type { FileNameFacts, FileNameParser } from "./file-name-parser.ts";
import { wjbh } from "./wjbh.ts";

/** Every way of naming files that is known; their forms exclude each other. */
const parsers: readonly FileNameParser[] = [wjbh, captureTime, dcam];

/** What the name of a file says about its recording: nothing when it has none of the known forms. */
export function factsOfFileName(fileName: string): FileNameFacts {
  for (const parser of parsers) {
    const facts = parser.parse(fileName);
    if (facts !== undefined) return facts;
  }
  return {};
}
