// Pictures of every page of the console with the demo's data, in both sizes: `npm run screens -- DIR [words of their names]`.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import type { Role } from "#identity";
import { pause } from "#kernel";
import { Endings } from "../bench/endings.ts";
import { startBrowser } from "../support/browser.ts";
import { inChinese, signInAs } from "../support/console.ts";
import { type DemoProduct, demoProduct } from "../support/demo-product.ts";

const [directory, ...wanted] = process.argv.slice(2);
if (directory === undefined) {
  process.stderr.write("usage: npm run screens -- DIR [words of their names]\n");
  process.exit(2);
}

const sizes = [
  { width: 1366, height: 768 },
  { width: 1920, height: 1080 },
] as const;

interface Screen {
  readonly name: string;
  readonly role: Role;
  readonly path: string;
  /** What is done before the picture is taken. */
  readonly open?: (page: Page) => Promise<void>;
}

const openFirst = async (page: Page, link: string): Promise<void> => {
  await page.locator(link).first().click();
  await settled(page);
};

/** Until nothing waits and every picture is there. */
async function settled(page: Page): Promise<void> {
  const waits = `document.querySelector(".ant-spin-spinning, .ant-skeleton, .waiting") !== null
    || [...document.images].some(({ complete }) => !complete)`;
  for (let quiet = 0; quiet < 4; quiet = (await page.evaluate<boolean>(waits)) ? 0 : quiet + 1) await pause(100);
}

const screens: readonly Screen[] = [
  { name: "tray", role: "handler", path: "/tray" },
  {
    name: "bind",
    role: "handler",
    path: "/tray",
    open: async (page) => {
      for (const key of ["x", "j", "j", "x", "b"]) await page.keyboard.press(key);
      await page.getByRole("dialog").waitFor();
      await pause(500); // it comes slowly
    },
  },
  { name: "clips", role: "handler", path: "/clips" },
  { name: "wall", role: "handler", path: "/clips?view=wall" },
  { name: "clip", role: "handler", path: "/clips?playable=true&kind=video", open: view },
  {
    name: "clip-bind",
    role: "handler",
    path: "/clips",
    open: async (page) => {
      await openFirst(page, ".clip-row a");
      await page.getByRole("button", { name: "绑定到案件" }).click();
      await page.getByRole("dialog").waitFor();
      await pause(500); // it comes slowly
    },
  },
  { name: "cases", role: "handler", path: "/cases" },
  { name: "case", role: "handler", path: "/cases", open: (page) => openFirst(page, "main table a") },
  { name: "export", role: "handler", path: "/cases", open: exported },
  {
    name: "quarantined",
    role: "auditor",
    path: "/clips?state=quarantined",
    open: (page) => openFirst(page, ".clip-row a"),
  },
  { name: "recording", role: "supervisor", path: "/clips?text=_10295", open: view },
  { name: "home-supervisor", role: "supervisor", path: "/" },
  { name: "home-auditor", role: "auditor", path: "/" },
  { name: "home-administrator", role: "administrator", path: "/" },
  {
    name: "recorder",
    role: "supervisor",
    path: "/",
    open: (page) => openFirst(page, ".findings-panel a[href^='/recorders/']"),
  },
];

async function exported(page: Page): Promise<void> {
  await openFirst(page, "main table a");
  await page.getByRole("button", { name: "导出本案" }).click();
  await page.getByRole("link", { name: /下载（/ }).waitFor();
}

async function view(page: Page): Promise<void> {
  await openFirst(page, ".clip-row a");
  await page.getByRole("radio", { name: "监督检查" }).check();
  await page.getByRole("button", { name: "开始调阅" }).click();
  await page.locator("video").waitFor();
  await pause(1500);
}

const endings = new Endings();
try {
  await mkdir(directory, { recursive: true });
  const product = await demoProduct(endings, false);
  const browser = await startBrowser();
  endings.teardown(() => browser.close());
  for (const shade of ["light", "dark"] as const) {
    for (const size of sizes) {
      for (const role of new Set(screens.map((screen) => screen.role))) {
        const context = await browser.newContext({ viewport: size, colorScheme: shade });
        const page = await context.newPage();
        await enter(page, product, role);
        for (const screen of screens.filter((one) => one.role === role)) {
          const name = `${screen.name}-${size.width}${shade === "dark" ? "-dark" : ""}.png`;
          if (wanted.length > 0 && !wanted.some((word) => name.includes(word))) continue;
          await page.goto(`${product.url}${screen.path}`);
          await settled(page);
          await screen.open?.(page);
          await page.screenshot({ path: join(directory, name) });
          process.stdout.write(`${name}\n`);
        }
        await context.close();
      }
    }
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  process.exitCode = 1;
} finally {
  await endings.end();
}

async function enter(page: Page, { url, people }: DemoProduct, role: Role): Promise<void> {
  await page.goto(url);
  await signInAs(page, people[role], inChinese);
  await page.getByRole("button", { name: "退出登录" }).waitFor();
}
