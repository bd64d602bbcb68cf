import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import t, { type Test } from "tap";
import type { Role } from "#identity";
import { startBrowser } from "../support/browser.ts";
import { inChinese, inEnglish, signInAs, untilDone, type Visit, visitOf } from "../support/console.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { sample } from "../support/derive-media.ts";
import { dockseal, linesToType, shell } from "../support/exports.ts";
import { signIn } from "../support/people.ts";
import { type Stack, startStack } from "../support/stack.ts";

// A handler's day in the console: what waits is bound, what was wrong is corrected, the case goes to the court.

let stack: Stack;
let browser: Browser;

interface Binding {
  readonly id: string;
  readonly clipId: string;
  readonly [annotation: string]: unknown;
}
interface CaseAnswer {
  readonly id: string;
  readonly number: string;
  readonly bindings: readonly Binding[];
}

const number = "测试〔2026〕6号";
const videos = ["DCAM_01_000123_20261121_093000.mp4", "DCAM_01_000123_20261121_101500.mp4"] as const;
const text = "XWBL_000123_20261121_095500.txt";

t.before(async () => {
  stack = await startStack(t, { store: "filesystem", queue: "postgres" });
  browser = await startBrowser();
  t.teardown(() => browser.close());
  const [early, late] = videos;
  const ids = [
    await arrive(await sample(stack.directory, "silent.mp4"), {
      ...{ fileName: late, capturedAt: "2026-11-21 10:15:00", place: { text: "解放路2号" } },
    }),
    await arrive(await written("笔录：现场无人。\n"), {
      fileName: text,
      kind: "text",
      capturedAt: "2026-11-21 09:55:00",
    }),
    await arrive(await sample(stack.directory, "ready.mp4"), { fileName: early, place: { text: "人民路1号" } }),
  ];
  for (const id of ids) await untilDone(stack, id);
});

/** Sends a file as a station does. @returns the clip's id. */
async function arrive(path: string, metadata: Record<string, unknown>): Promise<string> {
  const all = { ...someMetadata, capturedAtZone: "Asia/Shanghai", ...metadata };
  const answer = await sendClip(stack.url, stack.party.token, path, all);
  if (answer.status !== 201) throw new Error(`${answer.status} ${answer.body}`);
  return answer.json<{ id: string }>().id;
}

async function written(content: string): Promise<string> {
  const path = join(stack.directory, "written.txt");
  await writeFile(path, content);
  return path;
}

const visit = (t: Test, use: (visit: Visit) => Promise<void>, options?: BrowserContextOptions): Promise<void> =>
  visitOf(t, browser, stack.url, use, options);

const signInHere = (page: Page, role: Role, words = inChinese): Promise<void> =>
  signInAs(page, stack.party.people[role], words);

/** Until the keyboard is in that field. */
const focusIn = (page: Page, label: string | RegExp): Promise<void> =>
  page.getByLabel(label).and(page.locator(":focus")).waitFor();

async function caseAnswer(of = number): Promise<CaseAnswer> {
  const handler = await signIn(stack, "handler");
  const found = await handler.get<{ items: { id: string; number: string }[] }>("/api/v1/cases?limit=200");
  const id = found.items.find((file) => file.number === of)?.id ?? "";
  return handler.get<CaseAnswer>(`/api/v1/cases/${id}`);
}

t.test("three clips of the tray are bound to a new case without a mouse, where things move", (t) =>
  visit(
    t,
    async ({ page }) => {
      await page.goto(stack.url);
      await signInHere(page, "handler");
      await page.getByRole("grid", { name: "待绑定" }).and(page.locator(":focus")).waitFor();
      t.match(page.url(), /\/tray$/, "the tray is what a handler sees first");
      await page.getByRole("link", { name: "待绑定 3" }).waitFor();
      t.match(await page.getByRole("row", { name: videos[0] }).innerText(), /2026-11-21 09:30:00[\s\S]*人民路1号/);
      await page.getByRole("row", { name: videos[0] }).locator("img").waitFor();

      const { keyboard } = page;
      await keyboard.press("?");
      await page.getByRole("dialog", { name: "快捷键" }).getByText("连续选择").waitFor();
      await keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await keyboard.press("x");
      await keyboard.press("j");
      await keyboard.press("Shift+ArrowDown");
      await page.getByText("已选 3 个").waitFor();
      t.equal(await page.locator("[role=row][aria-selected=true]").count(), 3);
      await keyboard.press("b");
      const dialog = page.getByRole("dialog", { name: "绑定 3 个文件" });
      await dialog.waitFor();
      t.match(
        await dialog.locator(".facts-of-all").innerText(),
        /REC-0001\s+采集时间\s+各自的 2026-11-21 09:30:00 … 2026-11-21 10:15:00\s+采集地点\s+各自的.*1 个没有\s+采集人\s+37150001/,
        "what is common is shown, what differs each keeps",
      );
      await focusIn(page, "案件");
      await keyboard.type(number);
      await page.locator(".ant-select-item-option-active", { hasText: `新建案件 ${number}` }).waitFor();
      await keyboard.press("Enter");
      await focusIn(page, /案由/);
      await keyboard.type("占道经营");
      await keyboard.press("Tab");
      await focusIn(page, "证明对象");
      await keyboard.type("证明占道经营的现场情况");
      await keyboard.press("Tab");
      await keyboard.type("现场检查");
      await keyboard.press("Tab");
      await focusIn(page, /没有采集地点/);
      await keyboard.type("城关镇办公室");
      await keyboard.press("Control+Enter");
      await page.getByText(`3 个文件已绑定到案件 ${number}`).waitFor();
      t.equal(await page.locator("[data-outcome=bound]").count(), 3, "each with its own result");
      await page
        .getByRole("button", { name: /^完 ?成$/ })
        .and(page.locator(":focus"))
        .waitFor();
      await keyboard.press("Enter");
      await page.getByText("没有待绑定的视音频").waitFor();

      const { bindings } = await caseAnswer();
      t.same(
        bindings.map((one) => [one["capturedAt"], one["capturePlace"], one["evidencePurpose"], one["stage"]]).sort(),
        [
          ["2026-11-21 09:30:00", "人民路1号", "证明占道经营的现场情况", "现场检查"],
          ["2026-11-21 09:55:00", "城关镇办公室", "证明占道经营的现场情况", "现场检查"],
          ["2026-11-21 10:15:00", "解放路2号", "证明占道经营的现场情况", "现场检查"],
        ],
        "each clip keeps its own time and place, and what was typed once is said of all",
      );
      await page.locator(".my-cases").getByRole("link", { name: number }).click();
      await page.getByRole("heading", { name: number }).waitFor();
      t.same(
        await page.locator(".case-clips .binding-head a").allInnerTexts(),
        [...videos],
        "the case has its footage in the order of capture",
      );
      t.same(await page.locator(".case-documents .binding-head a").allInnerTexts(), [text], "and the text beside it");
    },
    { reducedMotion: "no-preference" },
  ),
);

t.test("a binding is corrected, withdrawn and brought back, and what stood there stays readable", (t) =>
  visit(t, async ({ page }) => {
    const { id } = await caseAnswer();
    await page.goto(`${stack.url}/cases/${id}`);
    await signInHere(page, "handler");
    const first = page.locator(".case-clips .binding", { hasText: videos[0] });
    await first.getByRole("button", { name: "更正" }).click();
    const save = page.getByRole("button", { name: "保存更正" });
    t.ok(await save.isDisabled(), "without a change there is nothing to save");
    await page.getByLabel("采集地点").fill("人民路3号");
    await save.click();
    await page.getByText("请写明理由").waitFor();
    await page.getByLabel("理由").fill("门牌写错了");
    await save.click();
    await first.getByText("历次更正（共 2 版）").click();
    t.match(
      await first.locator("[data-revision='2']").innerText(),
      /第 2 版 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d · handler\s+理由：门牌写错了\s+采集地点 人民路1号 改为 人民路3号$/,
      "what was changed from what to what, when, by whom and why",
    );
    t.match(await first.locator("[data-revision='1']").innerText(), /人民路1号/, "the first revision is what it was");

    const document = page.locator(".case-documents .binding", { hasText: text });
    await document.getByRole("button", { name: "撤回" }).click();
    await page.getByLabel("理由").fill("不属于本案");
    await page
      .getByRole("dialog")
      .getByRole("button", { name: /^撤 ?回$/ })
      .click();
    const former = page.locator(".case-former .binding", { hasText: text });
    await former.waitFor();
    await page.getByText("还没有绑定文字记录").waitFor();
    await page.getByRole("link", { name: "待绑定 1" }).waitFor();
    await former.getByText("历次更正").click();
    t.match(await former.locator("[data-revision='2']").innerText(), /理由：不属于本案\s+撤回了绑定$/);
    await former.getByRole("button", { name: "恢复" }).click();
    await page.getByLabel("理由").fill("核实后属于本案");
    await page
      .getByRole("dialog")
      .getByRole("button", { name: /^恢 ?复$/ })
      .click();
    await document.waitFor();
    t.equal(await page.locator(".case-former").count(), 0);

    const { bindings } = await caseAnswer();
    t.equal(bindings.length, 6, "nothing was overwritten: three bindings, three more revisions");
    await page.locator(".case-clips").getByRole("link", { name: videos[0] }).click();
    await page.locator(".bindings-panel").getByText("历次更正（共 2 版）").waitFor();
    await page.getByText("您更正了绑定（第 2 版）：门牌写错了").waitFor();
  }),
);

t.test("a document is added to the case, sealed and bound as every clip", (t) =>
  visit(t, async ({ page }) => {
    const { id } = await caseAnswer();
    await page.goto(`${stack.url}/cases/${id}`);
    await signInHere(page, "handler");
    await page.getByRole("button", { name: "添加文书" }).click();
    const dialog = page.getByRole("dialog", { name: "添加文书到本案" });
    const send = dialog.getByRole("button", { name: "添加文书" });
    await send.click();
    await dialog.getByText("请选择文件").waitFor();
    const name = "现场检查笔录.pdf";
    const buffer = Buffer.from("%PDF-1.7\n现场检查笔录（扫描件）\n");
    await page.setInputFiles("[role=dialog] input[type=file]", { name, mimeType: "application/pdf", buffer });
    await page.getByLabel("证明对象").fill("证明检查经过");
    await page.getByLabel("采集地点").fill("城关镇办公室");
    t.match(await page.getByLabel("制作时间").inputValue(), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/, "now is filled in");
    t.equal(await page.getByLabel(/^采集人/).inputValue(), "handler", "and who is signed in");
    await send.click();
    const added = page.locator(".case-document", { hasText: name });
    await added.waitFor();
    await added.getByText("已固定").waitFor();
    t.match(await added.innerText(), /证明检查经过\s+人工添加 · .* · 城关镇办公室 · handler/);
    const { bindings } = await caseAnswer();
    const clipId = bindings.find((one) => one["evidencePurpose"] === "证明检查经过")?.clipId ?? "";
    await added.getByRole("link", { name, exact: true }).click();
    await page.getByText(/^您上传了本文件/).waitFor();
    const handler = await signIn(stack, "handler");
    const { sha256 } = await handler.get<{ sha256: string }>(`/api/v1/clips/${clipId}`);
    t.equal(sha256, createHash("sha256").update(buffer).digest("hex"), "what came is what was chosen");
  }),
);

t.test("a case is exported, downloaded, and checked with the lines of its page", (t) =>
  visit(t, async ({ page }) => {
    const { id } = await caseAnswer();
    await page.goto(`${stack.url}/cases/${id}`);
    await signInHere(page, "handler");
    await page.getByRole("button", { name: "导出本案" }).click();
    const link = page.getByRole("link", { name: /下载（\d/ });
    await link.waitFor();
    t.match(page.url(), /\/exports\/[0-9a-f-]{36}$/);
    const waiting = page.waitForEvent("download");
    await link.click();
    const download = await waiting;
    const name = download.suggestedFilename();
    t.equal(name, `case-${number}.tar`);
    const tar = join(stack.directory, name);
    await download.saveAs(tar);
    const facts = await page.locator(".export-bag").innerText();
    const sha256 = createHash("sha256")
      .update(await readFile(tar))
      .digest("hex");
    t.ok(facts.includes(sha256), "the digest of what was downloaded stands on the page");
    t.match(facts, /导出人\s+handler \d{4}/);

    const lines = (await page.locator(".how-to-verify pre").allInnerTexts()).flatMap((shown) => shown.split("\n"));
    const typed = lines.filter((line) => !line.startsWith("npx dockseal"));
    t.equal(typed.length, lines.length - 1);
    t.match(await shell(stack.directory, typed.join("\n")), /case-测试〔2026〕6号\.tar: OK[\s\S]*Verification: OK/);
    const folder = join(stack.directory, `case-${number}`);
    const inside = await linesToType(folder);
    for (const line of typed.slice(3)) t.ok(inside.includes(line), `VERIFY.txt in the bag says the same: ${line}`);
    const { stdout } = await dockseal(stack, "verify", folder, "--trust", join(folder, "keys/trust.json"));
    t.match(stdout, /\n {2}OK\n/, "and dockseal verify accepts all of it");

    await page.getByRole("link", { name: "返回" }).click();
    await page.locator(".exports-panel [data-export=done]").waitFor();
  }),
);

t.test("what cannot be bound in a run over several says so and stays; a second run binds nothing twice", (t) =>
  visit(t, async ({ page, complaints }) => {
    await page.goto(`${stack.url}/tray`);
    await signInHere(page, "handler");
    await page.getByText("没有待绑定的视音频").waitFor();
    const names = ["fine", "elsewhere", "lost", "away"] as const;
    const ids: Record<string, string> = {};
    for (const name of names) {
      const metadata = { fileName: `${name}.txt`, kind: "text", place: { text: "人民路1号" } };
      ids[name] = await arrive(await written(`${name}\n`), metadata);
    }
    for (const name of names) await page.getByRole("row", { name: `${name}.txt` }).waitFor();
    t.pass("what arrives while the tray is open appears in it");
    await page.keyboard.press("a");
    await page.getByText("已选 4 个").waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "绑定 4 个文件" }).waitFor();

    const administrator = await signIn(stack, "administrator");
    const other = await administrator.post<CaseAnswer>("/api/v1/cases", { number: "别的案件" });
    const said = { clipId: ids["elsewhere"], evidencePurpose: "证明身份" };
    await administrator.post(`/api/v1/cases/${other.id}/bindings`, said);
    await page.route("**/bindings", async (route) => {
      const { clipId } = route.request().postDataJSON() as { clipId: string };
      // The server binds, and the line breaks before it can say so; or it is never reached.
      if (clipId === ids["lost"] && (await route.fetch()).status() === 201) return route.abort("connectionreset");
      if (clipId === ids["away"]) return route.abort("connectionrefused");
      return route.continue();
    });
    const bind = async (): Promise<void> => {
      await page
        .getByRole("dialog")
        .getByRole("button", { name: /^绑 ?定$/ })
        .click();
      await page.locator("[data-step=over]").waitFor();
    };
    const outcome = (name: string) => page.locator("li[data-outcome]", { hasText: `${name}.txt` });
    await page.getByRole("combobox", { name: "案件" }).fill("〔2026〕6");
    await page.getByTitle(`${number} 占道经营`).click();
    await page.getByLabel("证明对象").fill("证明询问过程");
    await bind();
    t.equal(await outcome("fine").getAttribute("data-outcome"), "bound", "what fails stops none of the others");
    await outcome("elsewhere").getByText("已被绑定到其他案件").waitFor();
    await outcome("elsewhere").getByRole("link", { name: "别的案件" }).waitFor();
    t.match(await outcome("lost").innerText(), /无法连接服务器[\s\S]*没有绑定/);
    await page.getByRole("button", { name: "重试这 3 个" }).click();
    t.equal(await page.getByLabel("证明对象").inputValue(), "证明询问过程", "what was said need not be typed again");
    await bind();
    t.same(
      await Promise.all(names.map((name) => outcome(name).getAttribute("data-outcome"))),
      ["bound", "failed", "already", "failed"],
      "what had been bound after all is not bound again",
    );
    await page.getByRole("button", { name: /^完 ?成$/ }).click();
    const row = page.getByRole("row", { name: "away.txt" });
    await row.getByText("无法连接服务器").waitFor();
    t.equal(await row.getAttribute("aria-selected"), "true", "what is not bound stays chosen, with the reason");
    await page.unroute("**/bindings");
    await page.keyboard.press("b");
    await page.getByRole("combobox", { name: "案件" }).fill("〔2026〕6");
    await page.getByTitle(`${number} 占道经营`).click();
    await page.getByLabel("证明对象").fill("证明询问");
    await page.getByTitle("证明询问过程").click();
    await bind();
    await page.getByRole("button", { name: /^完 ?成$/ }).click();
    await page.getByText("没有待绑定的视音频").waitFor();

    const { bindings } = await caseAnswer();
    for (const [name, times] of [
      ...[["fine", 1] as const, ["lost", 1] as const],
      ["away", 1],
      ["elsewhere", 0],
    ] as const) {
      t.equal(bindings.filter(({ clipId }) => clipId === ids[name]).length, times, `${name}: bound ${times} times`);
    }
    const told = complaints();
    t.ok(told.length > 0 && told.every((line) => /409|ERR_CONNECTION/.test(line)), "the browser told of the faults");
  }),
);

t.test("an auditor, in English, reads a case and its exports, and changes nothing", (t) =>
  visit(t, async ({ page }) => {
    const { id } = await caseAnswer();
    await page.goto(`${stack.url}/cases/${id}`);
    await page.getByRole("button", { name: "English" }).click();
    await signInHere(page, "auditor", inEnglish);
    await page.getByRole("link", { name: videos[0], exact: true }).waitFor();
    t.equal(await page.getByRole("button", { name: /Correct|Withdraw/ }).count(), 0);
    await page.locator(".exports-panel a").click();
    await page.getByText("How the receiver checks it").waitFor();
    t.notMatch(await page.locator(".frame").innerText(), /导出|核验|文件/, "no word of Chinese is left");
    await page.goto(`${stack.url}/tray`);
    await page.getByRole("heading", { name: "Clips" }).waitFor();
    t.match(page.url(), /\/clips\?unbound=true$/, "the tray is no place for an auditor");
  }),
);
