import { isProblem } from "#kernel";
import { type Check, summarizeReceipt, type Trust } from "#verify";
import { type Dropped, readDropped } from "./dropped.ts";
import { type Judged, type Judgement, judge } from "./judge.ts";
import { CHECKS, SAID, type Words } from "./words.ts";

// The page itself. It shows text only as text: nothing that was dropped becomes markup.

type Tone = "good" | "bad" | "open";

const dropped: Dropped[] = [];
const input = elementOf("files") as HTMLInputElement;
const zone = elementOf("zone");
const progress = elementOf("progress");
const results = elementOf("results");

input.addEventListener("change", () => void take([...(input.files ?? [])]));
elementOf("again").addEventListener("click", () => {
  dropped.length = 0;
  results.replaceChildren();
  progress.replaceChildren();
  document.body.classList.remove("has-results");
  input.value = "";
  input.focus();
});
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) document.addEventListener(kind, () => zone.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  void take([...(event.dataTransfer?.files ?? [])]);
});
document.documentElement.dataset["ready"] = "yes";

/** One batch after the other, in the order in which they came. */
let queue: Promise<void> = Promise.resolve();
function take(files: readonly File[]): Promise<void> {
  queue = queue.then(() => readAndJudge(files));
  return queue;
}

async function readAndJudge(files: readonly File[]): Promise<void> {
  document.body.setAttribute("aria-busy", "true");
  const notes: HTMLElement[] = [];
  for (const file of files) {
    try {
      dropped.push(await readDropped(file, (done) => showProgress(file, done)));
    } catch (error) {
      const what = isProblem(error) ? SAID.trustRefused : SAID.unreadable;
      notes.push(card(SAID.failed, "bad", [line(what, `${file.name}: ${messageOf(error)}`)]));
    }
  }
  progress.replaceChildren();
  try {
    show(await judge(documents(), originals(), trustFile()), notes);
  } catch (error) {
    show({ documents: [], strays: [] }, [card(SAID.failed, "bad", [line(SAID.broken, messageOf(error))])]);
  }
  document.body.removeAttribute("aria-busy");
}

const documents = () => dropped.flatMap((item) => (item.kind === "document" ? [item] : []));
const originals = () => dropped.flatMap((item) => (item.kind === "original" ? [item] : []));
/** The last one counts. */
const trustFile = (): Trust | undefined => dropped.findLast((item) => item.kind === "trust")?.trust;

function showProgress({ name, size }: File, done: number): void {
  const bar = document.createElement("progress");
  bar.max = size;
  bar.value = done;
  bar.setAttribute("aria-label", name);
  const percent = `${Math.floor((done / Math.max(size, 1)) * 100)} %`;
  progress.replaceChildren(line(SAID.reading, `${name} ${percent}`), bar);
}

function show({ documents, strays }: Judgement, notes: readonly HTMLElement[]): void {
  const trust = dropped.findLast((item) => item.kind === "trust");
  const cards = documents.map((document) => documentCard(document, trust !== undefined));
  const stray = strays.map(({ name, facts }) =>
    documents.length === 0
      ? card(SAID.incomplete, "open", [line(SAID.strayFile, name), digests(facts), line(SAID.noReceiptFor)])
      : card(SAID.failed, "bad", [line(SAID.strayFile, name), digests(facts), line(SAID.noReceiptFor)]),
  );
  const used = trust === undefined ? [] : [paragraph("trust", [line(SAID.trustUsed, trust.name)])];
  results.replaceChildren(...notes, ...cards, ...stray, ...used);
  document.body.classList.toggle("has-results", results.childElementCount > 0);
}

function documentCard({ name, text, verdict, original }: Judged, trusted: boolean): HTMLElement {
  const kind = verdict.kind === "receipt" ? SAID.receipt : SAID.sealBundle;
  const [word, tone, advice]: [Words, Tone, Words] = !verdict.ok
    ? [SAID.failed, "bad", SAID.bad]
    : original === undefined
      ? [SAID.incomplete, "open", SAID.dropFile]
      : [SAID.passed, "good", SAID.allGood];
  const about = [line(kind, name)];
  if (original !== undefined) about.push(line(SAID.pairedWith, original.name), digests(original.facts));
  if (verdict.ok && verdict.kind === "receipt") about.push(line(SAID.sealedAt, summarizeReceipt(text).sealedAt));
  about.push(line(advice));
  if (verdict.ok && !trusted) about.push(line(SAID.noTrust));
  return card(word, tone, [...about, checkTable(verdict.checks)]);
}

function card(verdict: Words, tone: Tone, content: readonly HTMLElement[]): HTMLElement {
  const section = document.createElement("section");
  section.className = `card ${tone}`;
  const title = document.createElement("h2");
  const symbol = document.createElement("span");
  symbol.className = "symbol";
  symbol.ariaHidden = "true";
  symbol.textContent = { good: "✓", bad: "✗", open: "…" }[tone];
  title.append(symbol, ...bilingual(verdict));
  section.append(title, ...content);
  return section;
}

const STATUS: Readonly<Record<Check["status"], readonly [Words, Tone]>> = {
  passed: [SAID.passed, "good"],
  failed: [SAID.failed, "bad"],
  "not-checked": [SAID.notChecked, "open"],
};

/** What failed stands first: it is what people look for. */
function checkTable(checks: readonly Check[]): HTMLElement {
  const table = document.createElement("table");
  const isFailed = ({ status }: Check): boolean => status === "failed";
  const ordered = [...checks.filter(isFailed), ...checks.filter((check) => !isFailed(check))];
  for (const { name, status, detail } of ordered) {
    const row = table.insertRow();
    const [word, tone] = STATUS[status];
    row.className = tone;
    row.dataset["check"] = name;
    row.dataset["status"] = status;
    const mark = row.insertCell();
    mark.className = "mark";
    mark.append(...bilingual(word));
    const what = row.insertCell();
    what.append(...bilingual(CHECKS.get(name) ?? { zh: name, en: name }));
    if (status !== "passed") what.append(plain("small", detail));
  }
  return table;
}

function digests({ sizeBytes, sha256, sm3 }: { sizeBytes: number; sha256: string; sm3: string }): HTMLElement {
  const list = document.createElement("dl");
  for (const [term, value] of [
    ["字节 Bytes", String(sizeBytes)],
    ["SHA-256", sha256],
    ["SM3", sm3],
  ] as const) {
    list.append(plain("dt", term), plain("dd", value));
  }
  return list;
}

/** A sentence in both languages, and what it is about. */
function line(said: Words, about?: string): HTMLElement {
  return paragraph("line", [...bilingual(said), ...(about === undefined ? [] : [plain("b", about)])]);
}

function bilingual({ zh, en }: Words): HTMLElement[] {
  const english = plain("span", en);
  english.lang = "en";
  const chinese = plain("span", zh);
  chinese.lang = "zh-CN";
  return [chinese, english];
}

function paragraph(name: string, content: readonly HTMLElement[]): HTMLElement {
  const element = document.createElement("div");
  element.className = name;
  element.append(...content);
  return element;
}

function plain(tag: string, content: string): HTMLElement {
  const element = document.createElement(tag);
  element.textContent = content;
  return element;
}

function elementOf(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no element ${id}`);
  return element;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
