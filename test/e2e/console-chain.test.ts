import type { Browser, Page } from "playwright-core";
import t, { type Test } from "tap";
import { startBrowser } from "../support/browser.ts";
import { inChinese, inEnglish, signInAs, untilDone, type Visit, visitOf } from "../support/console.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { sample } from "../support/derive-media.ts";
import { signIn } from "../support/people.ts";
import type { Rgw } from "../support/rgw.ts";
import { allSigned } from "../support/served-log.ts";
import { slowReads } from "../support/slow-s3.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { refusal, StrictS3 } from "../support/strict-s3.ts";
import { until } from "../support/until.ts";

// What the page of a clip says of its past: verification with progress, chain of custody, how derivatives were made.

const s3 = new StrictS3();
let stack: Stack;
let browser: Browser;
let clipId = "";

t.before(async () => {
  const url = await s3.listen();
  t.teardown(() => s3.close());
  stack = await startStack(t, { store: "s3", queue: "postgres", s3: { url: () => url } as unknown as Rgw });
  browser = await startBrowser();
  t.teardown(() => browser.close());
  const metadata = { ...someMetadata, fileName: "DCAM_01_000123_20261121_093000.mp4" };
  const sent = await sendClip(stack.url, stack.party.token, await sample(stack.directory, "ready.mp4"), metadata);
  clipId = sent.json<{ id: string }>().id;
  await untilDone(stack, clipId);
  await allSigned(stack.db);
});
t.afterEach(() => {
  s3.fault = undefined;
});

const visit = (t: Test, use: (visit: Visit) => Promise<void>): Promise<void> => visitOf(t, browser, stack.url, use);

const verifications = async (): Promise<number> => {
  const auditor = await signIn(stack, "auditor");
  const { items } = await auditor.get<{ items: { type: string }[] }>(`/api/v1/clips/${clipId}/custody`);
  return items.filter(({ type }) => type === "clip.verified").length;
};

async function underWay(page: Page): Promise<void> {
  await page.getByRole("button", { name: "在服务器上核验" }).click();
  await page.getByRole("progressbar").waitFor();
  // Some of it was read, not all.
  await page.locator(".verify-running [data-look='1']", { hasText: /已读取 [1-9][\d.]* [KM]?i?B，共/ }).waitFor();
}

t.test("a handler sees how far a verification is, may stop it, and reads who did what, with proofs", (t) =>
  visit(t, async ({ page }) => {
    await page.goto(`${stack.url}/clips/${clipId}`);
    await signInAs(page, stack.party.people.handler, inChinese);
    const chain = page.locator(".custody-panel");
    const sealed = chain.locator("[data-event='clip.sealed']");
    await sealed.waitFor();
    t.match(await chain.locator("h3").first().innerText(), /^20\d\d-\d\d-\d\d 周/, "day by day");
    t.match(await chain.innerText(), /采集站 3715[0-9a-f]{8} 上传了本文件/, "stations have names and numbers");
    t.match(await chain.innerText(), /系统取得可信时间戳/, "the machine has none");

    await sealed.locator("summary").click();
    await sealed.locator("dt", { hasText: "日志位置" }).waitFor();
    await sealed.getByText(/^第 \d+ 条$/).waitFor();
    await sealed.getByRole("button", { name: "取证明" }).click();
    const proof = sealed.locator("[data-proof]");
    t.match(await proof.innerText(), /"type":"clip\.sealed"[\s\S]*c2sp\.org\/tlog-proof@v1/, "and what proves that");
    const download = page.waitForEvent("download");
    await proof.getByRole("link", { name: "下载证明" }).click();
    t.match((await download).suggestedFilename(), /^proof-\d+\.json$/);

    const playback = page.locator(".derivatives-panel [data-role=playback]");
    await playback.locator("summary").click();
    await playback.getByText("/in/0 是原件").waitFor();
    t.match(
      await playback.innerText(),
      /可播放副本[\s\S]*video\/mp4 · \d+×\d+[\s\S]*SHA-256\s+[0-9a-f]{64}[\s\S]*ffmpeg version[\s\S]*ffmpeg .*-i \/in\/0/,
      "a derivative says how it was made",
    );

    const before = await verifications();
    const stopped = slowReads(s3);
    await underWay(page);
    await page.getByRole("button", { name: "停止核验" }).click();
    await page.getByText("已停止：服务器不再读取").waitFor();
    // What came now would be read by a server that has not heard of it yet.
    await until("the server reads no more", () => stopped.gone > 0);
    stopped.goOn();
    t.equal(await verifications(), before, "what was stopped is not logged");

    const store = slowReads(s3);
    await underWay(page);
    store.goOn();
    await page.locator("[data-outcome=intact]").waitFor();
    await page.getByText("您在服务器上重新核验：与固定时一致").waitFor();

    s3.fault = (call) => (call.operation === "get" ? refusal(503, "SlowDown") : undefined);
    await page.getByRole("button", { name: "在服务器上核验" }).click();
    await page.getByText("证据存储暂时不可用").waitFor();
  }),
);

t.test("an auditor reads the same in English, with the name of who verified", (t) =>
  visit(t, async ({ page }) => {
    await page.goto(`${stack.url}/clips/${clipId}`);
    await page.getByRole("button", { name: "English" }).click();
    await signInAs(page, stack.party.people.auditor, inEnglish);
    const chain = page.locator(".custody-panel");
    await chain.getByText("handler verified it on the server: as sealed").waitFor();
    t.notMatch(await chain.innerText(), /您|系统|日志/, "no word of Chinese is left but names");
    t.notMatch(await page.locator(".derivatives-panel").innerText(), /\p{Script=Han}/u);
  }),
);
