import { readFile } from "node:fs/promises";
import { DocksealError } from "#kernel";

/**
 * The font of the electronic-data list.
 * @throws DocksealError `configuration-invalid` when it is not there.
 */
export async function readPdfFont(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new DocksealError("configuration-invalid", {
      detail: `${path} cannot be read: exports need a font with Chinese letters (Debian: fonts-droid-fallback), named by DOCKSEAL_PDF_FONT`,
      cause,
    });
  }
}
