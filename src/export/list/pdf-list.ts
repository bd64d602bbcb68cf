import type { ElectronicDataList, ListedItem } from "./electronic-data-list.ts";
import { drawLine, newPdf, type PdfDocument, pdfBytes, type TextStyle, widthOf, wrapped } from "./pdf-text.ts";

// Points, A4 lying: 842 × 595.
const left = 36;
const right = 806;
const bottom = 556;
const padding = 3;
const cellStyle: TextStyle = { size: 7.5 };
const cellLine = 10;
const wideLine = 10.5;

interface Column {
  readonly title: string;
  readonly english: string;
  readonly width: number;
  readonly value: (item: ListedItem) => string;
}

const columns: readonly Column[] = [
  { title: "序号", english: "No.", width: 26, value: (item) => String(item.number) },
  { title: "类别", english: "Category", width: 36, value: (item) => item.categoryName },
  { title: "文件名", english: "File name", width: 110, value: (item) => item.fileName },
  { title: "文件格式", english: "Format", width: 46, value: (item) => item.fileFormat },
  { title: "大小（字节）", english: "Size in bytes", width: 60, value: (item) => String(item.sizeBytes) },
  { title: "采集时间", english: "Capture time", width: 76, value: (item) => item.capturedAt },
  { title: "采集地点", english: "Capture place", width: 86, value: (item) => item.capturePlace },
  { title: "采集人", english: "Collector", width: 52, value: (item) => item.collectorNumber },
  { title: "证明对象", english: "Evidence purpose", width: 98, value: (item) => item.evidencePurpose },
  { title: "案件编号", english: "Case number", width: 66, value: (item) => item.caseNumber },
  { title: "固定时间", english: "Sealed at", width: 76, value: (item) => beijing(item.sealedAt) },
  { title: "日志序号", english: "Log index", width: 38, value: (item) => String(item.logIndex) },
];

/** A moment as courts here write it. */
function beijing(instant: string): string {
  return new Date(Date.parse(instant) + 8 * 3_600_000).toISOString().slice(0, 19).replace("T", " ");
}

const roleNames = {
  handler: "办案人员",
  supervisor: "监督人员",
  auditor: "审计人员",
  administrator: "管理员",
} as const;

/**
 * The electronic-data list as a PDF to be printed and signed. The same data and font give the same bytes.
 * @param font see {@link newPdf}.
 */
export async function pdfList(list: ElectronicDataList, font: Buffer): Promise<Buffer> {
  const document = await newPdf(font, new Date(list.exportedAt), `${list.title} ${list.case?.number ?? list.export}`);
  const page = new ListPages(document);
  drawHead(document, list, page);
  page.tableHead();
  for (const item of list.items) page.item(item);
  drawSignatures(document, page);
  numberPages(document, list);
  return pdfBytes(document);
}

/** Where the next thing is drawn; begins pages as they fill up. */
class ListPages {
  readonly #document: PdfDocument;
  y = 0;

  constructor(document: PdfDocument) {
    this.#document = document;
    this.next();
  }

  next(): void {
    this.#document.addPage();
    this.y = 36;
  }

  tableHead(): void {
    const height = 24;
    this.#document
      .rect(left, this.y, right - left, height)
      .fill("#eeeeee")
      .fillColor("black");
    this.#cellBorders(height);
    let x = left;
    for (const { title, english, width } of columns) {
      drawLine(this.#document, title, x + padding, this.y + 10.5, { size: 8 });
      drawLine(this.#document, english, x + padding, this.y + 19.5, { size: 5.5 });
      x += width;
    }
    this.y += height;
  }

  /** A row of cells, and under it the digests and where the file lies, over the whole width. */
  item(item: ListedItem): void {
    const cells = columns.map(({ width, value }) =>
      wrapped(this.#document, value(item), width - 2 * padding, cellStyle),
    );
    const wide = [
      `SHA-256  ${item.sha256}`,
      `SM3      ${item.sm3}`,
      ...wrapped(
        this.#document,
        `存放 ${item.path}    回执 ${item.receipt}`,
        right - left - 26 - 2 * padding,
        cellStyle,
      ),
    ];
    const wideHeight = wide.length * wideLine + 2 * padding;
    let rows = Math.max(...cells.map((lines) => lines.length));
    // Together on a page where they fit on one; a longer text goes on over the next pages.
    if (this.y + Math.min(rows, 30) * cellLine + 2 * padding + wideHeight > bottom) this.#nextWithHead();
    for (let from = 0; rows > 0; ) {
      const room = Math.max(1, Math.floor((bottom - this.y - 2 * padding) / cellLine));
      const count = Math.min(rows, room);
      this.#cells(
        cells.map((lines) => lines.slice(from, from + count)),
        count,
      );
      from += count;
      rows -= count;
      if (rows > 0) this.#nextWithHead();
    }
    if (this.y + wideHeight > bottom) this.#nextWithHead();
    this.#wide(wide, wideHeight);
  }

  #nextWithHead(): void {
    this.next();
    this.tableHead();
  }

  #cells(cells: readonly (readonly string[])[], count: number): void {
    const height = count * cellLine + 2 * padding;
    this.#cellBorders(height);
    let x = left;
    for (const [at, { width }] of columns.entries()) {
      for (const [line, text] of (cells[at] ?? []).entries()) {
        drawLine(this.#document, text, x + padding, this.y + padding + 7.5 + line * cellLine, cellStyle);
      }
      x += width;
    }
    this.y += height;
  }

  #wide(lines: readonly string[], height: number): void {
    const indent = columns[0]?.width ?? 0;
    this.#document
      .lineWidth(0.5)
      .rect(left, this.y, indent, height)
      .rect(left + indent, this.y, right - left - indent, height)
      .stroke();
    for (const [at, text] of lines.entries()) {
      const style = at < 2 ? { size: 8, fixed: true } : cellStyle;
      drawLine(this.#document, text, left + indent + padding, this.y + padding + 8 + at * wideLine, style);
    }
    this.y += height;
  }

  #cellBorders(height: number): void {
    let x = left;
    this.#document.lineWidth(0.5).strokeColor("black");
    for (const { width } of columns) {
      this.#document.rect(x, this.y, width, height);
      x += width;
    }
    this.#document.stroke();
  }
}

function drawHead(document: PdfDocument, list: ElectronicDataList, page: ListPages): void {
  const centred = (text: string, y: number, style: TextStyle): void => {
    drawLine(document, text, (left + right - widthOf(document, text, style)) / 2, y, style);
  };
  centred(list.title, page.y + 16, { size: 20 });
  centred("Electronic-data list", page.y + 30, { size: 8 });
  page.y += 46;
  const { exportedBy, checkpoint } = list;
  const who = exportedBy.role === null ? exportedBy.name : `${exportedBy.name}（${roleNames[exportedBy.role]}）`;
  const facts: readonly (readonly [name: string, value: string])[] = [
    ["案件编号 Case number", list.case?.number ?? "—"],
    ["案件名称 Title", list.case?.title ?? "—"],
    ["单位 Organization", list.organization.name],
    ["导出人 Exported by", who],
    ["导出时间 Exported at", `${beijing(list.exportedAt)}（北京时间 UTC+8）`],
    ["导出编号 Export", list.export],
  ];
  const half = (right - left) / 2;
  for (let at = 0; at < facts.length; at += 2) {
    const pair = facts.slice(at, at + 2).map(([name, value]) => {
      return { name, lines: wrapped(document, value, half - 100, { size: 8.5 }) };
    });
    for (const [column, { name, lines }] of pair.entries()) {
      const x = left + column * half;
      drawLine(document, name, x, page.y + 9, { size: 8 });
      for (const [line, text] of lines.entries()) {
        drawLine(document, text, x + 92, page.y + 9 + line * 11, { size: 8.5 });
      }
    }
    page.y += 3 + 11 * Math.max(...pair.map(({ lines }) => lines.length));
  }
  const log = `${checkpoint.origin}  ${checkpoint.size}  ${checkpoint.root}`;
  drawLine(document, "检查点 Checkpoint", left, page.y + 9, { size: 8 });
  drawLine(document, log, left + 92, page.y + 9, { size: 8.5 });
  const files = `文件数 Files  ${list.items.length}`;
  drawLine(document, files, right - widthOf(document, files, { size: 8.5 }), page.y + 9, { size: 8.5 });
  page.y += 17;
  const note =
    "采集时间按来源原样记载；固定时间为北京时间（UTC+8），即可信时间戳所载时间。校验值用 sha256sum 和 openssl dgst -sm3 核对，方法见 VERIFY.txt。";
  drawLine(document, note, left, page.y + 9, { size: 7.5 });
  page.y += 18;
}

function drawSignatures(document: PdfDocument, page: ListPages): void {
  if (page.y + 76 > bottom) page.next();
  const style = { size: 9.5 };
  const places = ["制作人（签名）：", "核对人（签名）：", "单位（盖章）：", "日期：          年      月      日"];
  page.y += 34;
  for (const [at, text] of places.entries()) {
    const x = left + (at * (right - left)) / places.length;
    const width = drawLine(document, text, x, page.y, style);
    if (at === 3) continue;
    document
      .lineWidth(0.5)
      .moveTo(x + width, page.y + 2)
      .lineTo(x + 180, page.y + 2)
      .stroke();
  }
  for (const [at, text] of ["Made by (signature)", "Checked by (signature)", "Organization (seal)", "Date"].entries()) {
    drawLine(document, text, left + (at * (right - left)) / places.length, page.y + 11, { size: 6 });
  }
}

function numberPages(document: PdfDocument, list: ElectronicDataList): void {
  const { start, count } = document.bufferedPageRange();
  for (let at = 0; at < count; at += 1) {
    document.switchToPage(start + at);
    const text = `第 ${at + 1} 页  共 ${count} 页`;
    const style = { size: 8 };
    drawLine(document, text, right - widthOf(document, text, style), 576, style);
    drawLine(document, `${list.title}  ${list.case?.number ?? ""}  导出编号 ${list.export}`, left, 576, { size: 7 });
  }
}
