import { chmod, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import t, { type Test } from "tap";
import type { Role } from "#identity";
import { pause } from "#kernel";
import { startBrowser } from "../support/browser.ts";
import { inChinese, inEnglish, signInAs, untilDone, type Visit, visitOf } from "../support/console.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { sample } from "../support/derive-media.ts";
import { signIn } from "../support/people.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

// The console as its people use it, in Debian's Chromium: built as `npm ci` builds it, served by the product.

let stack: Stack;
let browser: Browser;
let clipId = "";
const original = { path: "", fileName: "DCAM_01_000123_20261121_093000.mp4" };

t.before(async () => {
  stack = await startStack(t, { store: "filesystem", queue: "postgres" });
  browser = await startBrowser();
  t.teardown(() => browser.close());
  original.path = await sample(stack.directory, "ready.mp4");
  const metadata = {
    ...someMetadata,
    ...{ fileName: original.fileName, capturedAtZone: "Asia/Shanghai", place: { text: "人民路1号" } },
    ...{ clockOffsetMs: 90_000, clockUncertaintyMs: 1_500 },
  };
  const sent = await sendClip(stack.url, stack.party.token, original.path, metadata);
  clipId = sent.json<{ id: string }>().id;
  await untilDone(stack, clipId);
});

const visit = (t: Test, use: (visit: Visit) => Promise<void>, options?: BrowserContextOptions): Promise<void> =>
  visitOf(t, browser, stack.url, use, options);

const signInHere = (page: Page, role: Role, words = inChinese): Promise<void> =>
  signInAs(page, stack.party.people[role], words);

/** Sets the files as if they were chosen. */
const give = (page: Page, name: string, text: string): Promise<void> =>
  page.setInputFiles(".verify-self input[type=file]", {
    name,
    mimeType: "application/json",
    buffer: Buffer.from(text),
  });

t.test("a handler's way in Chinese: sign in, find the clip, view it, verify it twice, bind it, sign out", (t) =>
  visit(t, async ({ page, complaints }) => {
    await page.goto(stack.url);
    t.equal(await page.getAttribute("html", "lang"), "zh-CN", "Chinese comes first");
    await page.getByLabel("用户名", { exact: true }).fill("nobody");
    await page.getByLabel("密码", { exact: true }).fill("wrong");
    await page.getByRole("button", { name: /^登 ?录$/ }).click();
    await page.getByText("用户名或密码不正确").waitFor();
    t.match(complaints(), [/401/], "who gives a wrong password is told what to do");
    await signInHere(page, "handler");

    await page.getByRole("grid", { name: "待绑定" }).waitFor();
    t.match(page.url(), /\/tray$/, "the tray is what a handler sees first");
    await page.getByRole("link", { name: "视音频", exact: true }).click();
    const row = page.getByRole("row", { name: original.fileName });
    await row.waitFor();
    t.match(page.url(), /\/clips$/);
    t.match(await row.innerText(), /2026-11-21 09:30:00[\s\S]*人民路1号[\s\S]*已固定/, "with time, place and state");
    await row.locator("img").waitFor();
    await page.getByText("已绑定", { exact: true }).click();
    await page.getByText("没有符合条件的视音频").waitFor();
    t.match(page.url(), /unbound=false/, "a filter stands in the address");
    await page.reload();
    await page.getByText("没有符合条件的视音频").waitFor();
    await page.locator(".filters").getByText("待绑定", { exact: true }).click();
    await page.getByText("缩略图", { exact: true }).click();
    t.match(page.url(), /unbound=true&view=wall/);
    await page.getByRole("link", { name: original.fileName }).click();

    await page.getByText("请先说明调阅目的").waitFor();
    t.equal(await page.locator("video").count(), 0, "nothing is shown before somebody said what for");
    t.notOk((await custody()).includes("clip.viewed"));
    await page.getByRole("radio", { name: "办案" }).check();
    await page.getByRole("button", { name: "开始调阅" }).click();
    await page.locator("video").waitFor();
    const at = async (): Promise<number> => Number(await page.evaluate("document.querySelector('video').currentTime"));
    await until("then it plays", async () => (await at()) >= 0.3);
    t.match(
      await page.locator(".watermark").innerText(),
      /handler · 办案人员\n甲局 [0-9a-f]{8}\n办案\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/,
      "who looks, what for and when stands over the picture",
    );
    t.ok((await custody()).includes("clip.viewed"), "and in the chain of custody");
    await page.evaluate("document.querySelector('video').pause()");
    await page.keyboard.press("ArrowLeft");
    t.equal(await at(), 0, "five seconds back is the beginning");
    await page.keyboard.press(".");
    await page.keyboard.press(".");
    t.ok(Math.abs((await at()) - 0.08) < 0.001, "two frames on");
    await page.keyboard.press(",");
    t.ok(Math.abs((await at()) - 0.04) < 0.001, "and one back");
    await page.keyboard.press("+");
    t.equal(await page.evaluate("document.querySelector('video').playbackRate"), 1.5);

    const facts = await page.locator(".facts-panel").innerText();
    t.match(facts, /2026-11-21 09:30:00[\s\S]*2026-11-21 09:28:30 误差 ±1\.5 秒[\s\S]*快 90\.0 秒/, "both times");
    await page.getByText("您调阅了本文件，目的：办案").waitFor();
    const chain = await page.locator(".custody-panel").innerText();
    // Sealed and examined it is at the same time: either may be over first.
    t.match(chain, /生成了派生件[\s\S]*上传了本文件/, "the chain of custody can be read");
    t.match(chain, /文件完成固定[\s\S]*上传了本文件/, "newest first");

    await page.getByRole("button", { name: "在服务器上核验" }).click();
    await page.locator("[data-outcome=intact]").waitFor();
    await page.getByText("您在服务器上重新核验：与固定时一致").waitFor();

    await page.getByRole("button", { name: "取回执并核验" }).click();
    await page.locator("[data-verdict=passed]").waitFor();
    await page.setInputFiles(".verify-self input[type=file]", original.path);
    await page.getByText("文件与固定时完全一致").waitFor();
    t.equal(await page.locator("[data-check=file-sm3][data-status=passed]").count(), 1);
    t.equal(await page.locator("[data-status=failed]").count(), 0);
    const receipt = String(
      await page.evaluate(`fetch("/api/v1/clips/${clipId}/receipt").then((answer) => answer.text())`),
    );
    await page.getByRole("button", { name: "重新开始" }).click();
    const { manifest } = JSON.parse(receipt) as { manifest: string };
    const forged = Buffer.from(manifest, "base64")
      .toString()
      .replace(/(?<="sizeBytes":)\d/, (digit) => (digit === "9" ? "8" : "9"));
    const other = Buffer.from(forged).toString("base64");
    await give(page, "forged.json", receipt.replace(manifest, other));
    await page.locator("[data-verdict=failed]").waitFor();
    t.equal(await page.locator("[data-check=manifest][data-status=failed]").count(), 1, "a tampered receipt fails");

    await page.getByRole("link", { name: "案件", exact: true }).click();
    await page.getByRole("button", { name: "新建案件" }).click();
    await page.getByLabel("案件编号", { exact: true }).fill("测试〔2026〕5号");
    await page.getByRole("button", { name: /^保 ?存$/ }).click();
    await page.getByRole("heading", { name: "测试〔2026〕5号" }).waitFor();
    await page.goto(`${stack.url}/clips/${clipId}`);
    await page.getByRole("button", { name: "绑定到案件" }).click();
    await page.getByRole("combobox", { name: "案件" }).fill("〔2026〕5");
    await page.getByTitle("测试〔2026〕5号").click();
    await page.getByLabel("证明对象").fill("证明现场情况");
    await page.getByRole("button", { name: /^绑 ?定$/ }).click();
    await page.getByText("您将文件绑定到案件，证明对象：证明现场情况").waitFor();
    await page.locator(".bindings-panel").getByRole("link", { name: "测试〔2026〕5号" }).click();
    await page.getByRole("link", { name: original.fileName }).waitFor();
    t.match(await page.locator(".case-clip").innerText(), /证明现场情况[\s\S]*人民路1号/, "the case shows the clip");

    const cookies = await page.context().cookies();
    await page.getByRole("button", { name: "退出登录" }).click();
    await page.getByLabel("用户名", { exact: true }).waitFor();
    t.same(await page.context().cookies(), [], "the cookie is gone");
    await page.goBack();
    await page.getByLabel("用户名", { exact: true }).waitFor();
    const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
    const after = await fetch(`${stack.url}/api/v1/session`, { headers: { cookie } });
    t.equal(after.status, 401, "and who kept it does not get in with it");
  }),
);

t.test("what is still asked for when somebody signs out is given up, not refused", (t) =>
  visit(t, async ({ page }) => {
    const { promise: out, resolve: isOut } = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const late: Promise<void>[] = [];
    await page.route(/\/(poster|clips\?.*)$/, async (route) => {
      if (!route.request().url().includes("unbound=false") && !route.request().url().endsWith("/poster")) {
        return route.continue();
      }
      held.resolve();
      late.push(out.then(() => route.continue()).catch(() => undefined));
    });
    await page.goto(`${stack.url}/clips`);
    await signInHere(page, "handler");
    await held.promise;
    await page.getByText("已绑定", { exact: true }).click();
    await until("a picture and a list are asked for", () => late.length >= 2);
    await page.getByRole("button", { name: "退出登录" }).click();
    await page.getByLabel("用户名", { exact: true }).waitFor();
    isOut();
    await Promise.all(late);
    await pause(500);
  }),
);

t.test("a page that could not be loaded says so, and comes when it is loaded again", (t) =>
  visit(t, async ({ page, complaints }) => {
    await page.route(/assets\/clips-page/, (route) => route.abort());
    await page.goto(`${stack.url}/clips`);
    await signInHere(page, "handler");
    await page.getByText("页面没有载入").waitFor();
    t.match(complaints().join("\n"), /Failed to load resource/);
    await page.getByRole("link", { name: "案件", exact: true }).click();
    await page.getByRole("button", { name: "新建案件" }).waitFor();
    await page.getByRole("link", { name: "视音频", exact: true }).click();
    await page.getByText("页面没有载入").waitFor();
    complaints();
    await page.unroute(/assets\/clips-page/);
    await page.getByRole("button", { name: "重新载入" }).click();
    await page.getByRole("row", { name: original.fileName }).waitFor();
  }),
);

t.test("an auditor's way in English, on a large screen in the dark", (t) =>
  visit(
    t,
    async ({ page }) => {
      await page.goto(`${stack.url}/clips/${clipId}`);
      await page.getByRole("button", { name: "English" }).click();
      t.equal(await page.getAttribute("html", "lang"), "en");
      await signInHere(page, "auditor", inEnglish);
      await page.getByRole("heading", { name: original.fileName }).waitFor();
      t.equal(await page.getByRole("button", { name: "Bind to a case" }).count(), 0, "an auditor binds nothing");
      await page.getByRole("button", { name: "Switch to dark" }).click();
      const [ink, ground] = await page.evaluate<[number, number]>(`(() => {
        const { color, backgroundColor } = getComputedStyle(document.body);
        return [color, backgroundColor].map((value) => Number(/[0-9]+/.exec(value)[0]));
      })()`);
      t.ok(ink > ground, "light letters on dark");
      await page.getByRole("button", { name: "Verify on the server" }).click();
      await page.getByText("Intact: byte for byte what was sealed").waitFor();
      await page.getByRole("link", { name: "Clips", exact: true }).click();
      await page.getByRole("row", { name: original.fileName }).waitFor();
      t.match(await page.locator("main").innerText(), /Sealed/);
      t.notMatch(await page.locator(".frame").innerText(), /状态|固定|绑定/, "no word of Chinese is left");
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByLabel("Password", { exact: true }).waitFor();
    },
    { viewport: { width: 1920, height: 1080 } },
  ),
);

t.test("a clip whose stored bytes were changed shows as damaged after it was verified on the server", async (t) => {
  const path = await sample(stack.directory, "silent.mp4");
  const metadata = { ...someMetadata, fileName: "damaged.mp4" };
  const { id } = (await sendClip(stack.url, stack.party.token, path, metadata)).json<{ id: string }>();
  await untilDone(stack, id);
  const { objectKey, versionId } = await stack.db
    .selectFrom("clip")
    .select(["objectKey", "versionId"])
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
  const stored = join(stack.directory, "evidence/objects", `${objectKey}@`, `v-${versionId}`);
  await chmod(stored, 0o600);
  const file = await open(stored, "r+");
  const { buffer: before } = await file.read(Buffer.alloc(1), 0, 1, 1000);
  await file.write(Buffer.of((before[0] ?? 0) ^ 1), 0, 1, 1000);
  await file.close();
  await visit(t, async ({ page }) => {
    await page.goto(`${stack.url}/clips/${id}`);
    await signInHere(page, "handler");
    await page.getByRole("button", { name: "在服务器上核验" }).click();
    await page.locator("[data-outcome=damaged]").waitFor();
    await page.locator(".clip-head [data-state=quarantined]").waitFor();
    await page.getByText("您将文件隔离").waitFor();
    await page.getByRole("link", { name: "返回列表" }).click();
    await page.getByRole("combobox", { name: "状态" }).click();
    await page.getByTitle("已隔离", { exact: true }).click();
    await page.getByText("共 1 条").waitFor();
    t.match(await page.getByRole("row", { name: "damaged.mp4" }).innerText(), /已隔离/, "and can be found by that");
  });
});

t.test("the first page loads less than 400 KB of compressed script, and nothing may come from elsewhere", async (t) => {
  const loaded: string[] = [];
  await visit(t, async ({ page }) => {
    page.on("request", (request) => loaded.push(request.url()));
    await page.goto(`${stack.url}/sign-in`);
    await page.getByLabel("用户名", { exact: true }).waitFor();
  });
  const scripts = loaded.filter((address) => address.endsWith(".js"));
  t.ok(scripts.length > 0);
  let bytes = 0;
  for (const address of scripts) bytes += gzipSync(Buffer.from(await (await fetch(address)).arrayBuffer())).length;
  t.ok(bytes < 400_000, `${bytes} bytes`);

  for (const path of [
    "/",
    "/sign-in",
    "/tray",
    "/clips",
    `/clips/${clipId}`,
    "/cases",
    `/cases/${clipId}`,
    `/exports/${clipId}`,
  ]) {
    const page = await fetch(`${stack.url}${path}`);
    t.equal(page.status, 200, path);
    t.equal(page.headers.get("cache-control"), "no-cache");
    t.equal(page.headers.get("x-content-type-options"), "nosniff");
    t.equal(page.headers.get("referrer-policy"), "no-referrer");
    const policy = page.headers.get("content-security-policy") ?? "";
    t.match(policy, /default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; .*frame-ancestors 'none'$/);
    t.notMatch(policy, /unsafe-inline|'unsafe-eval'|http/, "nothing inline, nothing from elsewhere");
    const nonce = /'nonce-([^']+)'/.exec(policy)?.[1] ?? "";
    t.ok((await page.text()).includes(`nonce="${nonce}"`), "the nonce of its styles is that of the answer");
  }
  const [script = ""] = scripts;
  const asset = await fetch(script);
  t.equal(asset.headers.get("cache-control"), "public, max-age=31536000, immutable");
  t.equal(asset.headers.get("content-encoding"), "gzip");
  const built = join(import.meta.dirname, "../../dist/console", new URL(script).pathname);
  t.same(gunzipSync(await readFile(`${built}.gz`)), await readFile(built), "what is sent compressed is the same");
  for (const path of [
    "/assets/none.js",
    "/assets/..%2findex.html",
    "/assets/%2e%2e%2f%2e%2e%2fdockseal.js",
    "/nothing",
  ]) {
    const answer = await fetch(`${stack.url}${path}`);
    t.equal(answer.status, 404, path);
    t.match(answer.headers.get("content-type"), /^application\/problem\+json/, `${path} is a problem, not the console`);
  }
  for (const path of ["/api/v1/nothing", "/log/nothing", "/v3/nothing"]) {
    t.equal((await fetch(`${stack.url}${path}`)).status, 404, `${path} is not the console`);
  }
});

async function custody(): Promise<string> {
  const auditor = await signIn(stack, "auditor");
  const { items } = await auditor.get<{ items: { type: string }[] }>(`/api/v1/clips/${clipId}/custody`);
  return items.map(({ type }) => type).join(" ");
}
