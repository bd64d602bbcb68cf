import type { Browser, Page } from "playwright-core";
import t from "tap";
import { startBrowser } from "../support/browser.ts";
import { inEnglish, signInAs, type Visit, visitOf } from "../support/console.ts";
import { type DemoProduct, demoProduct } from "../support/demo-product.ts";
import { until } from "../support/until.ts";

// A day of each of them at `dockseal up`, with what the demo has left: from signing in to a result.

let product: DemoProduct;
let browser: Browser;

t.before(async () => {
  product = await demoProduct(t);
  browser = await startBrowser();
  t.teardown(() => browser.close());
});

const day = (use: (visit: Visit) => Promise<void>) => (t: Parameters<typeof visitOf>[0]) =>
  visitOf(t, browser, product.url, use);

const plays = (page: Page): Promise<true> =>
  until(
    "the recording plays",
    async () => (await page.evaluate<number>("document.querySelector('video').currentTime")) > 0.2,
  );

t.test(
  "a handler binds from the tray by keyboard, and exports the case",
  day(async ({ page }) => {
    await page.goto(product.url);
    await signInAs(page, product.people.handler);
    await page.getByRole("grid", { name: "待绑定" }).and(page.locator(":focus")).waitFor();
    await page.keyboard.press("x");
    await page.getByText("已选 1 个").waitFor();
    await page.keyboard.press("b");
    const dialog = page.getByRole("dialog", { name: "绑定 1 个文件" });
    await dialog.getByRole("combobox", { name: "案件" }).fill("测试〔2026〕1号");
    await page.locator(".ant-select-item-option-active", { hasText: "新建案件" }).waitFor();
    await page.keyboard.press("Enter");
    await dialog.getByLabel("证明对象").fill("证明现场情况");
    await page.keyboard.press("Control+Enter");
    await page.getByText("1 个文件已绑定到案件 测试〔2026〕1号").waitFor();
    await page.getByRole("button", { name: /^完 ?成$/ }).click();
    await page.locator(".my-cases").getByRole("link", { name: "测试〔2026〕1号" }).click();
    await page.getByRole("button", { name: "导出本案" }).click();
    await page.getByRole("link", { name: /下载（\d/ }).waitFor();
  }),
);

t.test(
  "a supervisor replays one of the newest recordings, and reads in its chain of custody that this was noted",
  day(async ({ page }) => {
    await page.goto(product.url);
    await signInAs(page, product.people.supervisor);
    await page.getByText("最新视音频").waitFor();
    await page.goto(`${product.url}/clips?kind=video&playable=true`);
    await page.locator(".clip-row a").first().click();
    await page.getByRole("radio", { name: "监督检查" }).check();
    await page.getByRole("button", { name: "开始调阅" }).click();
    await page.locator("video").waitFor();
    await plays(page);
    t.match(await page.locator(".watermark").innerText(), /王监督 · 监督人员\n示范县城市管理局\n监督检查\n20\d\d-/);
    await page.getByText("您调阅了本文件，目的：监督检查").waitFor();
  }),
);

t.test(
  "an auditor audits everything, and verifies a clip on the server and in the browser",
  day(async ({ page }) => {
    await page.goto(product.url);
    await signInAs(page, product.people.auditor);
    await page.locator(".figures").waitFor();
    await page.getByRole("button", { name: "立即巡检" }).click();
    await page.locator("[data-run=manual][data-state=finished]").getByText("全部完好").waitFor();
    await page.getByRole("link", { name: "视音频", exact: true }).click();
    await page.locator(".clip-row a").first().click();
    await page.getByRole("button", { name: "在服务器上核验" }).click();
    await page.locator("[data-outcome=intact]").waitFor();
    await page.getByRole("button", { name: "取回执并核验" }).click();
    await page.locator("[data-verdict=passed]").waitFor();
    t.equal(await page.locator("[data-status=failed]").count(), 0);
    await page.getByText("您在服务器上重新核验：与固定时一致").waitFor();
  }),
);

t.test(
  "the same in English",
  day(async ({ page }) => {
    await page.goto(product.url);
    await page.getByRole("button", { name: "English" }).click();
    await signInAs(page, product.people.auditor, inEnglish);
    await page.getByRole("heading", { name: "Home" }).waitFor();
    await page.getByRole("link", { name: "Clips", exact: true }).click();
    await page.locator(".clip-row a").first().click();
    await page.getByRole("button", { name: "Verify on the server" }).click();
    await page.getByText("Intact: byte for byte what was sealed").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Password", { exact: true }).waitFor();
  }),
);
