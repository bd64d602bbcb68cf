import { readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import Type, { type Static } from "typebox";
import { DocksealError } from "#kernel";
import { checked } from "#schema";

/** Lies beside footage, or in a folder above it, and tells of the recorder. */
export const recorderFileName = "recorder.json";

const instant = Type.String({ pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?(Z|[+-]\\d\\d:\\d\\d)$" });
const schema = Type.Object(
  {
    serial: Type.Optional(Type.String()),
    collector: Type.Optional(Type.String()),
    /** What the recorder's clock showed at docking, and the station's clock then. */
    clock: Type.Optional(Type.Object({ shows: instant, at: instant }, { additionalProperties: false })),
  },
  { additionalProperties: false },
);
const check = checked(schema);

export type RecorderFile = Static<typeof schema>;

/**
 * The nearest `recorder.json` of a file, up to the folder that is pushed.
 * @throws DocksealError when there is one that is not of its form: what a wrong one says is not guessed.
 */
export async function recorderFileOf(root: string, path: string): Promise<RecorderFile> {
  for (let folder = dirname(path); !relative(root, folder).startsWith(".."); folder = dirname(folder)) {
    const at = join(folder, recorderFileName);
    const text = await readFile(at, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (text !== undefined) return parsed(text, at);
    if (folder === dirname(folder)) break;
  }
  return {};
}

function parsed(text: string, at: string): RecorderFile {
  try {
    return check(JSON.parse(text));
  } catch (cause) {
    throw new DocksealError("malformed-field", { detail: `${at}: ${(cause as Error).message}`, cause });
  }
}
