import { DocksealError } from "#kernel";

/** A style of text: size in points, of one of the two faces. */
export interface TextStyle {
  readonly size: number;
  /** Digits of the same width, for digests. */
  readonly fixed?: boolean;
}

/** What is drawn in one go: text of one font. */
interface Run {
  readonly font: string;
  readonly text: string;
}

export type PdfDocument = PDFKit.PDFDocument;

const chinese = "chinese";

/**
 * A document of A4 pages, lying, without anything in it that differs from one run to the next.
 * @param font bytes of a TrueType font with Chinese letters; what is used of it is embedded.
 * @throws DocksealError `configuration-invalid` when it is no font.
 */
export async function newPdf(font: Buffer, at: Date, title: string): Promise<PdfDocument> {
  // Loaded by the first list: every process of ours knows this room, and hardly one makes a list.
  const { default: PDFDocument } = await import("pdfkit");
  const document = new PDFDocument({
    size: "A4",
    layout: "landscape",
    margin: 0,
    bufferPages: true,
    autoFirstPage: false,
    info: { Title: title, Creator: "dockseal", Producer: "dockseal", CreationDate: at, ModDate: at },
  });
  try {
    document.registerFont(chinese, font).font(chinese);
  } catch (cause) {
    throw new DocksealError("configuration-invalid", { detail: "DOCKSEAL_PDF_FONT is not a TrueType font", cause });
  }
  return document;
}

/** Fonts for Chinese have no Latin letters at times (Droid Sans Fallback has none): those come from the standard fonts. */
function fontOf(character: string, fixed: boolean): string {
  const latin = /^[\u0020-\u007e\u00a1-\u00ff]$/.test(character);
  if (!latin) return chinese;
  return fixed ? "Courier" : "Helvetica";
}

function runsOf(text: string, fixed: boolean): Run[] {
  const runs: { font: string; text: string }[] = [];
  for (const character of text) {
    const font = fontOf(character, fixed);
    const last = runs.at(-1);
    if (last?.font === font) last.text += character;
    else runs.push({ font, text: character });
  }
  return runs;
}

export function widthOf(document: PdfDocument, text: string, { size, fixed = false }: TextStyle): number {
  return runsOf(text, fixed).reduce(
    (width, run) => width + document.font(run.font).fontSize(size).widthOfString(run.text),
    0,
  );
}

/** Draws one line with its baseline at `y`. @returns the width of what was drawn. */
export function drawLine(document: PdfDocument, text: string, x: number, y: number, style: TextStyle): number {
  let at = x;
  for (const run of runsOf(text, style.fixed ?? false)) {
    document.font(run.font).fontSize(style.size);
    document.text(run.text, at, y, { lineBreak: false, baseline: "alphabetic" });
    at += document.widthOfString(run.text);
  }
  return at - x;
}

/**
 * Breaks text into lines of a width: between Chinese letters, at blanks and after separators of Latin text, and anywhere
 * in a word that is longer than a line.
 */
export function wrapped(document: PdfDocument, text: string, width: number, style: TextStyle): string[] {
  const lines: string[] = [];
  let line = "";
  for (const [next] of text.matchAll(piece)) {
    if (widthOf(document, line + next.trimEnd(), style) <= width) {
      line += next;
      continue;
    }
    if (line !== "") lines.push(line.trimEnd());
    line = "";
    for (const character of next) {
      if (line !== "" && widthOf(document, line + character, style) > width) {
        lines.push(line);
        line = "";
      }
      line += character;
    }
  }
  if (line !== "" || lines.length === 0) lines.push(line.trimEnd());
  return lines;
}

/** Latin words with what separates them, and single letters of everything else with the punctuation that belongs to them. */
const piece =
  / +|[〔（《【“‘]*(?:[\u0021-\u007e\u00a1-\u00ff]+?(?:[-/_.,;)]+|(?=[^\u0021-\u007e\u00a1-\u00ff])|$)|.)[，。；：、！？〕）》】”’]* */gsu;

/** The finished document. */
export async function pdfBytes(document: PdfDocument): Promise<Buffer> {
  const chunks: Buffer[] = [];
  document.end();
  for await (const chunk of document as unknown as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
