import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import t from "tap";
import type { Role } from "#identity";
import { seriousFaults, startBrowser } from "../support/browser.ts";
import { inEnglish, signInAs, untilDone, visitOf } from "../support/console.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { sample } from "../support/derive-media.ts";
import { signIn } from "../support/people.ts";
import { type Stack, startStack } from "../support/stack.ts";

// Whoever cannot see the console well, or uses it by keyboard: axe finds no serious fault on any page.

const roles: readonly Role[] = ["handler", "supervisor", "auditor", "administrator"];

let stack: Stack;
let browser: Browser;
const ids = { video: "", text: "", case: "" };

t.before(async () => {
  stack = await startStack(t, { store: "filesystem", queue: "postgres" });
  browser = await startBrowser();
  t.teardown(() => browser.close());
  const text = join(stack.directory, "note.txt");
  await writeFile(text, "现场无人。\n");
  ids.video = await send(await sample(stack.directory, "ready.mp4"), "DCAM_01_000123_20261121_093000.mp4");
  ids.text = await send(text, "XWBL_000123_20261121_095500.txt");
  const handler = await signIn(stack, "handler");
  ids.case = (await handler.post<{ id: string }>("/api/v1/cases", { number: "测试〔2026〕6号" })).id;
  await handler.post(`/api/v1/cases/${ids.case}/bindings`, { clipId: ids.video, evidencePurpose: "证明现场情况" });
});

async function send(path: string, fileName: string): Promise<string> {
  const metadata = { ...someMetadata, fileName, place: { text: "人民路1号" }, clockOffsetMs: 90_000 };
  const { id } = (await sendClip(stack.url, stack.party.token, path, metadata)).json<{ id: string }>();
  await untilDone(stack, id);
  return id;
}

interface Shown {
  readonly path: () => string;
  /** What is there when the page has loaded. */
  readonly shown: string;
  /** What is then opened on it. */
  readonly open?: (page: Page) => Promise<void>;
}

const pages: Readonly<Record<Role, readonly Shown[]>> = {
  handler: [
    { path: () => "/tray", shown: ".clip-rows [role=row]" },
    { path: () => "/tray", shown: ".clip-rows [role=row]", open: bindByKey },
    { path: () => "/clips", shown: ".clip-row" },
    {
      path: () => "/clips",
      shown: ".clip-row",
      open: (page) => page.getByRole("button", { name: "More filters" }).click(),
    },
    { path: () => "/clips?view=wall", shown: ".clip-card" },
    { path: () => `/clips/${ids.video}`, shown: ".custody-panel li" },
    { path: () => `/clips/${ids.video}`, shown: ".custody-panel li", open: view },
    { path: () => `/clips/${ids.text}`, shown: ".custody-panel li" },
    { path: () => "/cases", shown: "main table a" },
    { path: () => `/cases/${ids.case}`, shown: ".case-clip" },
    { path: () => `/cases/${ids.case}`, shown: ".case-clip", open: exportCase },
  ],
  supervisor: [{ path: () => "/", shown: ".clip-card" }],
  auditor: [{ path: () => "/", shown: "main .sheet" }],
  administrator: [
    { path: () => "/", shown: "main table" },
    { path: () => `/recorders/${someMetadata.recorderSerial}`, shown: ".facts-panel" },
  ],
};

async function bindByKey(page: Page): Promise<void> {
  await page.getByRole("grid", { name: "To bind" }).and(page.locator(":focus")).waitFor();
  await page.keyboard.press("x");
  await page.keyboard.press("b");
  await page.getByRole("dialog").waitFor();
}

async function exportCase(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Export the case" }).click();
  await page.getByRole("link", { name: /Download \(/ }).waitFor();
}

async function view(page: Page): Promise<void> {
  await page.getByRole("radio", { name: "Case handling" }).check();
  await page.getByRole("button", { name: "Start viewing" }).click();
  await page.locator("video").waitFor();
}

for (const shade of ["light", "dark"] as const) {
  t.test(`no page has a serious fault, ${shade}`, (t) =>
    visitOf(t, browser, stack.url, async ({ page }) => {
      await page.goto(stack.url);
      await page.getByRole("button", { name: "English" }).click();
      if (shade === "dark") await page.getByRole("button", { name: "Switch to dark" }).click();
      await page.getByLabel("Password", { exact: true }).waitFor();
      t.same(await seriousFaults(page), [], "sign-in");
      for (const role of roles) {
        await signInAs(page, stack.party.people[role], inEnglish);
        const out = page.getByRole("button", { name: "Sign out" });
        await out.waitFor();
        for (const { path, shown, open } of pages[role]) {
          await page.goto(`${stack.url}${path()}`);
          await page.locator(shown).first().waitFor();
          await open?.(page);
          t.same(await seriousFaults(page), [], `${role} ${path()}`);
        }
        await out.click();
      }
    }),
  );
}
