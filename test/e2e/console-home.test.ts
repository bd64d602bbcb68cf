import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import t, { type Test } from "tap";
import type { Role } from "#identity";
import { newId } from "#kernel";
import { Caller } from "../support/api.ts";
import { startBrowser } from "../support/browser.ts";
import { inChinese, signInAs, untilDone, type Visit, visitOf } from "../support/console.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { sample } from "../support/derive-media.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { TusStation } from "../support/tus.ts";
import { until } from "../support/until.ts";

// What supervisors, auditors and administrators see first, the filters of the clips, and uploads that run.

let stack: Stack;
let browser: Browser;
let lateId = "";
/** So many seconds ago, as a recorder in China writes it. */
const clock = (secondsAgo: number): string =>
  new Date(Date.now() - secondsAgo * 1000 + 8 * 3_600_000).toISOString().slice(0, 19).replace("T", " ");
const day = 86_400;

t.before(async () => {
  stack = await startStack(t, {
    store: "filesystem",
    queue: "postgres",
    variables: { DOCKSEAL_CHECKPOINT_ANCHOR_SECONDS: "1" },
  });
  browser = await startBrowser();
  t.teardown(() => browser.close());
  const administrator = await Caller.person(stack, "administrator");
  const limits = { lateAfterSeconds: day, settleSeconds: 0, overlapToleranceSeconds: 30, gapToleranceSeconds: 2 };
  const rest = { sameRecordingSeconds: 300, clockToleranceSeconds: 60 };
  const set = await administrator.call("PUT", "/api/v1/recording-limits", { ...limits, ...rest });
  if (set.status !== 200) throw new Error(set.body);

  const recording = await readFile(await sample(stack.directory, "ready.mp4"));
  const ids = [
    await send("late.mp4", recording, { recorderSerial: "HOME/1", capturedAt: clock(3 * day + 60) }),
    await send("one.txt", "1", { recorderSerial: "HOME-2", capturedAt: clock(900), sequence: 1 }),
    await send("three.txt", "3", { recorderSerial: "HOME-2", capturedAt: clock(300), sequence: 3, important: true }),
  ];
  for (const id of ids) await untilDone(stack, id);
  lateId = ids[0] ?? "";
  await until("both are found", async () => {
    const { items } = (await administrator.call("GET", "/api/v1/findings?state=open")).json<{ items: unknown[] }>();
    return items.length === 2;
  });
});

async function send(fileName: string, bytes: Buffer | string, metadata: Record<string, unknown>): Promise<string> {
  const file = join(stack.directory, "sent");
  await writeFile(file, bytes);
  const said = { ...someMetadata, capturedAtZone: "Asia/Shanghai", place: { text: "人民路1号" } };
  const sent = await sendClip(stack.url, stack.party.token, file, { ...said, fileName, ...metadata });
  if (sent.status !== 201) throw new Error(sent.body);
  return sent.json<{ id: string }>().id;
}

const visit = (t: Test, use: (visit: Visit) => Promise<void>, options?: BrowserContextOptions): Promise<void> =>
  visitOf(t, browser, stack.url, use, options);
const signInHere = (page: Page, role: Role): Promise<void> => signInAs(page, stack.party.people[role], inChinese);
const pathOf = (page: Page): string => decodeURIComponent(page.url().slice(stack.url.length));

t.test("a supervisor's day: home, a late clip, its recorder, replay with a purpose, and what was said about it", (t) =>
  visit(t, async ({ page }) => {
    await page.goto(stack.url);
    await signInHere(page, "supervisor");
    await page.getByRole("heading", { name: "首页" }).waitFor();
    t.equal(pathOf(page), "/");
    const newest = page.locator(".newest-panel");
    await newest.getByRole("link", { name: "late.mp4" }).locator("img").waitFor();
    t.equal(await newest.locator("li").count(), 3, "the newest clips, with their pictures");
    const sealed = page.locator(".figures").getByRole("link", { name: /^已固定/ });
    t.match(await sealed.innerText(), /已固定\n3\n/);
    await sealed.click();
    await page.getByText("共 3 条").waitFor();
    t.equal(pathOf(page), "/clips?state=sealed", "a figure leads to the list that it counts");
    await page.getByRole("link", { name: "首页" }).click();

    const findings = page.locator(".finding");
    await findings.nth(1).waitFor();
    t.match(await page.locator(".findings-panel").innerText(), /编号 2 的文件缺失[\s\S]*前一文件[\s\S]*后一文件/);
    await page.getByText("上传迟到 1", { exact: true }).click();
    await page.getByText("编号 2 的文件缺失").waitFor({ state: "detached" });
    t.equal(pathOf(page), "/?kind=late-arrival", "the kind stands in the address");
    await page.reload();
    const late = page.locator(".finding[data-kind=late-arrival]");
    await late.waitFor();
    t.equal(await findings.count(), 1);
    t.match(await late.innerText(), /录制结束 3 天后才上传，规定为 24 小时以内/, "in words of the reader's language");

    await late.getByRole("link", { name: "记录仪 HOME/1" }).click();
    await page.getByRole("heading", { name: "记录仪 HOME/1" }).waitFor();
    t.match(await page.locator(".facts-panel").innerText(), /文件数\n1\n/);
    await page.locator(".recordings-panel tbody tr").waitFor();
    await page.locator(".finding[data-kind=late-arrival]").getByRole("link", { name: "查看文件" }).click();

    await page.getByText("请先说明调阅目的").waitFor();
    t.equal(pathOf(page), `/clips/${lateId}`);
    await page.getByRole("radio", { name: "监督检查" }).check();
    await page.getByRole("button", { name: "开始调阅" }).click();
    await page.locator("video").waitFor();
    await page.getByText("您调阅了本文件，目的：监督检查").waitFor();
    await page.goBack();
    await page.goBack();

    await late.getByRole("button", { name: "说明情况" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    const moving = await page.evaluate<number>("document.querySelector('[role=dialog]').getAnimations().length");
    t.equal(moving, 0, "whoever asked the computer for less motion sees none");
    await dialog.getByRole("button", { name: /^提 ?交$/ }).click();
    await dialog.getByText("请写明情况").waitFor();
    await dialog.getByLabel("说明", { exact: true }).fill("站点停电三天");
    await dialog.getByRole("button", { name: /^提 ?交$/ }).click();
    await page.getByText("没有这样的问题").waitFor();
    await page.getByText("已说明", { exact: true }).first().click();
    await late.getByText(/supervisor .* 说明：站点停电三天/).waitFor();
    const supervisor = await Caller.person(stack, "supervisor");
    const said = await supervisor.call("GET", "/api/v1/findings?state=acknowledged");
    t.match(said.json(), { items: [{ kind: "late-arrival", acknowledgement: { reason: "站点停电三天" } }] });
  }),
);

interface Overview {
  readonly auditor: { readonly log: { readonly entries: number; readonly checkpoint: { readonly size: number } } };
}

t.test("an auditor's home shows the figures of the API, alarms in words, and an audit that was started there", (t) =>
  visit(
    t,
    async ({ page }) => {
      const subject = stack.party.stationId;
      for (const [kind, about] of [
        ["gateway-station-silent", subject],
        ["something-new", "x"],
      ] as const) {
        await stack.db
          .insertInto("alarm")
          .values({ id: newId(), kind, subject: about, detail: `detail of ${kind}` })
          .execute();
      }
      await page.goto(stack.url);
      const asked = page.waitForResponse(/\/api\/v1\/overview$/);
      await signInHere(page, "auditor");
      const { log } = ((await (await asked).json()) as Overview).auditor;
      const figures = page.locator(".figures");
      await figures.waitFor();
      const shown = await figures.innerText();
      t.match(shown, new RegExp(`日志条目\\n${log.entries}\\n`));
      t.match(shown, new RegExp(`覆盖 ${log.checkpoint.size} 条`));
      t.match(shown, /尚无检查点得到足够的见证[\s\S]*告警\n2\n/);
      t.match(
        await page.locator(".log-panel").innerText(),
        /没有见证方[\s\S]*内置，不独立[\s\S]*等待时间戳的文件\s+无/,
      );

      const silent = page.locator(".alarm[data-kind=gateway-station-silent]");
      await silent.getByText("采集站失联").waitFor();
      await silent.getByText(/采集站 3715/).waitFor();
      await silent.getByText("系统原文").click();
      await silent.getByText("detail of gateway-station-silent").waitFor();
      t.match(
        await page.locator(".alarm[data-kind=something-new]").innerText(),
        /something-new/,
        "one that is new too",
      );

      const manual = page.locator("[data-run=manual]");
      t.equal(await manual.count(), 0);
      await page.getByRole("button", { name: "立即巡检" }).click();
      await manual.waitFor();
      await page.locator("[data-run=manual][data-state=finished]").waitFor();
      t.match(await manual.innerText(), /全部完好\s+(\d+) \/ \1$/, "it read what it had to");

      await page.getByRole("button", { name: "English" }).click();
      await page.getByRole("heading", { name: "Home" }).waitFor();
      t.notMatch(
        await page.locator(".frame").innerText(),
        /首页|日志|检查点|巡检|告警|失联/,
        "no word of Chinese is left",
      );
    },
    { viewport: { width: 1920, height: 1080 } },
  ),
);

t.test("an administrator sees stations, what waits, and what the store was found to be", (t) =>
  visit(t, async ({ page }) => {
    const administrator = await Caller.person(stack, "administrator");
    const number = "37150000000000000002";
    t.equal((await administrator.call("POST", "/api/v1/stations", { number, name: "北关站" })).status, 201);
    await page.goto(stack.url);
    await signInHere(page, "administrator");
    const silent = page.locator("tr[data-station]").filter({ hasText: "失联" });
    await silent.waitFor();
    t.match(await silent.innerText(), /采集站\n3715[\s\S]*前|刚刚/, "when a station was heard of last");
    const never = page.locator(`tr[data-station="${number}"]`);
    // Heartbeats are asked for apart from the rest.
    await never.getByText("不发心跳").waitFor();
    t.match(await never.innerText(), /北关站[\s\S]*从未联系[\s\S]*不发心跳/);
    t.match(await page.locator(".work-panel").innerText(), /没有等待的处理/);
    const store = page.locator(".store-panel");
    t.match(await store.innerText(), /本机目录 file:[\s\S]*正常[\s\S]*不能保证防删改[\s\S]*剩余 .*iB，共 .*iB/);
    await page.getByRole("link", { name: "北关站" }).click();
    await page.getByText("没有符合条件的视音频").waitFor();
    await page.getByText("采集站：北关站", { exact: true }).waitFor();
  }),
);

t.test("an upload that runs is shown with its progress, then it is a clip; filters survive a reload", (t) =>
  visit(t, async ({ page }) => {
    const station = new TusStation(stack);
    const fileName = "XWBL_000123_running.txt";
    const path = await station.begun(10, { fileName, recorderSerial: "HOME-3" });
    const piece = join(stack.directory, "piece");
    await writeFile(piece, "1234");
    t.equal((await station.patch(path, 0, piece)).status, 204);

    await page.goto(`${stack.url}/clips`);
    await signInHere(page, "handler");
    const running = page.locator(`[data-upload="${fileName}"]`);
    await running.waitFor();
    t.match(await running.innerText(), /采集站 · HOME-3\s+40%/, "file, station, recorder and percent");
    t.equal(await running.getByRole("progressbar").getAttribute("value"), "40");
    t.equal(await page.getByRole("row", { name: fileName }).count(), 0);
    await writeFile(piece, "56");
    t.equal((await station.patch(path, 4, piece)).status, 204);
    await running.getByText("60%").waitFor();
    await writeFile(piece, "7890");
    t.equal((await station.patch(path, 6, piece)).status, 204);
    await page.locator(".uploads").waitFor({ state: "detached" });
    await page.getByRole("row", { name: fileName }).waitFor();

    await page.getByRole("searchbox", { name: "文件名或案件编号" }).fill("TXT");
    // Before the pause that ends the typing: neither filter takes the place of the other.
    await page.getByLabel("采集日期，自").fill("2026-01-01");
    await page.getByText("“TXT”").waitFor();
    await page.getByRole("button", { name: "更多筛选" }).click();
    await page.getByRole("textbox", { name: "记录仪" }).fill("HOME-2");
    await page.getByText("记录仪：HOME-2", { exact: true }).waitFor();
    await page.getByRole("combobox", { name: "标记" }).click();
    await page.getByTitle("仅重点", { exact: true }).click();
    await page.getByText("共 1 条").waitFor();
    const wanted = "/clips?text=TXT&capturedFrom=2026-01-01&recorder=HOME-2&important=true";
    t.equal(pathOf(page), wanted, "every filter stands in the address");
    await page.reload();
    await page.getByRole("row", { name: "three.txt" }).waitFor();
    await page.getByText("共 1 条").waitFor();
    t.equal(await page.locator(".chip").count(), 4);
    await page.getByRole("button", { name: "去掉筛选 仅重点" }).click();
    await page.getByText("共 2 条").waitFor();
    t.equal(pathOf(page), "/clips?text=TXT&capturedFrom=2026-01-01&recorder=HOME-2");
    await page.getByText("清除筛选").click();
    await page.getByText("共 4 条").waitFor();
    t.equal(await page.getByRole("searchbox").inputValue(), "", "the field is empty as well");

    const handler = await Caller.person(stack, "handler");
    const opened = await handler.call("POST", "/api/v1/cases", { number: "家〔2026〕1号" });
    const body = { clipId: lateId, evidencePurpose: "证明" };
    const bindings = `/api/v1/cases/${opened.json<{ id: string }>().id}/bindings`;
    t.equal((await handler.call("POST", bindings, body)).status, 201);
    await page.getByRole("row", { name: "late.mp4" }).getByText("家〔2026〕1号").waitFor();
    await page.getByText("缩略图", { exact: true }).click();
    await page.getByRole("link", { name: "late.mp4" }).getByText("家〔2026〕1号").waitFor();
    t.pass("the case that somebody bound it to stands in list and pictures, without a reload");
  }),
);
