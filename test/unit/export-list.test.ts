import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import type { ElectronicDataList, ListedItem } from "../../src/export/list/electronic-data-list.ts";
import { pdfList } from "../../src/export/list/pdf-list.ts";
import { readPdfFont } from "../../src/export/pdf-font.ts";

const run = promisify(execFile);
const fontPath = "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf";
const clip = "01a200d9-8a78-75f3-b08d-47251f2ab115";
const hex = (text: string): string => createHash("sha256").update(text).digest("hex");

function item(number: number, wish: Partial<ListedItem> = {}): ListedItem {
  return {
    number,
    clip,
    category: "video",
    categoryName: "视频",
    fileName: `现场检查${number}.mp4`,
    path: `data/originals/${clip}/现场检查${number}.mp4`,
    fileFormat: "MP4",
    mediaType: "video/mp4",
    sizeBytes: 1_234_567_890 + number,
    sha256: hex(`sha256 ${number}`),
    sm3: hex(`sm3 ${number}`),
    capturedAt: "2026-11-21 09:30:00",
    capturePlace: "示范县人民路1号",
    collectorNumber: "37150001",
    evidencePurpose: "证明现场检查过程",
    stage: "现场检查",
    caseNumber: "示范城管罚〔2026〕第12号",
    sealedAt: "2026-11-22T01:23:08.793Z",
    logIndex: number,
    receipt: `data/receipts/${clip}.receipt.json`,
    ...wish,
  };
}

function list(items: readonly ListedItem[]): ElectronicDataList {
  return {
    type: "dockseal/electronic-data-list@v1",
    title: "电子数据清单",
    export: "01a200d9-93b2-7432-b525-4143cadbbf0e",
    case: { id: clip, number: "示范城管罚〔2026〕第12号", title: "某某涉嫌占道经营案" },
    organization: { id: clip, name: "示范县城市管理局" },
    exportedBy: { name: "办案人甲", role: "handler" },
    exportedAt: "2026-11-24T03:04:05.000Z",
    checkpoint: { origin: "log.example/custody", size: 120, root: createHash("sha256").digest("base64") },
    items,
  };
}

const withoutBlanks = (text: string): string => text.replace(/\s/g, "");

t.test("the electronic-data list as a PDF", async (t) => {
  const font = await readPdfFont(fontPath);
  const purpose = `证明${"执法全过程记录合法有效，".repeat(80)}完`;
  const long = "DCAM_01_370001_20261121_093000_IMP_a_name_without_a_single_blank_in_it_0001.mp4";
  const items = [
    ...Array.from({ length: 9 }, (_, at) => item(at + 1)),
    item(10, { categoryName: "音频", evidencePurpose: purpose, fileName: long }),
    item(11, { categoryName: "文本", fileName: "笔录 \u{1F4F9} é.txt", fileFormat: "TXT" }),
  ];
  const bytes = await pdfList(list(items), font);
  const path = join(t.testdir(), "list.pdf");
  await writeFile(path, bytes);
  const { stdout: text } = await run("pdftotext", ["-layout", path, "-"]);
  const { stdout: info } = await run("pdfinfo", [path]);
  const pages = Number(/Pages: +(\d+)/.exec(info)?.[1]);

  t.test("says everything in words that a reader of PDF finds", (t) => {
    const names = ["序号", "类别", "文件名", "文件格式", "大小（字节）", "采集时间", "采集地点", "采集人", "证明对象"];
    for (const words of [...names, "案件编号", "固定时间", "日志序号", "电子数据清单", "示范县城市管理局"])
      t.match(text, words);
    for (const words of [
      "办案人甲（办案人员）",
      "某某涉嫌占道经营案",
      "制作人（签名）",
      "日期：",
      "2026-11-24 11:04:05",
    ]) {
      t.match(text, words);
    }
    for (const { sha256, sm3, sizeBytes } of items) {
      for (const words of [sha256, sm3, String(sizeBytes)]) t.match(text, words);
    }
    t.match(text, "2026-11-22 09:23:08", "times of the seal are those of Beijing");
    t.match(text, "log.example/custody");
    for (let page = 1; page <= pages; page += 1) t.match(withoutBlanks(text), `第${page}页共${pages}页`);
    t.end();
  });

  t.test("wraps what is long and loses none of it", async (t) => {
    const { stdout } = await run("pdftotext", ["-raw", path, "-"]);
    const raw = withoutBlanks(stdout);
    t.ok(pages > 2, `${pages} pages`);
    t.equal(raw.split("效").length - 1, 80, "each of the 80 repetitions");
    t.match(raw, "有效，完");
    for (const part of long.match(/.{10}/g) ?? []) t.match(raw, part);
    for (const line of stdout.split("\n")) t.notMatch(line, /^[，。）〕]/, "no line begins with what ends a word");
  });

  t.test("is A4, lying, embeds what it uses of the Chinese font, and not the whole", async (t) => {
    t.match(info, /Page size: +841\.89 x 595\.28 pts \(A4\)/);
    const { stdout: fonts } = await run("pdffonts", [path]);
    t.match(fonts, /\+DroidSansFallback +\S.* yes yes yes/);
    t.ok(bytes.length < 200_000, `${bytes.length} bytes`);
  });

  t.test("the same data gives the same bytes, and other data others", async (t) => {
    t.ok(bytes.equals(await pdfList(list(items), font)));
    t.notOk(bytes.equals(await pdfList(list(items.with(0, item(1, { sizeBytes: 1 }))), font)));
  });

  t.test("a font that is missing, or none, is named with the variable to set", async (t) => {
    await t.rejects(readPdfFont("/nowhere.ttf"), { code: "configuration-invalid", message: /DOCKSEAL_PDF_FONT/ });
    const noFont = await readFile(import.meta.filename);
    await t.rejects(pdfList(list(items), noFont), { code: "configuration-invalid", message: /DOCKSEAL_PDF_FONT/ });
  });
});
