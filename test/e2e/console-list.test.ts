import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import type { Browser, Page } from "playwright-core";
import t, { type Test } from "tap";
import type { Role } from "#identity";
import { pause } from "#kernel";
import { startBrowser } from "../support/browser.ts";
import { inChinese, signInAs, untilDone, type Visit, visitOf } from "../support/console.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

// The list of clips as it fills.

let stack: Stack;
let browser: Browser;
let first = "";

t.before(async () => {
  stack = await startStack(t, { store: "filesystem", queue: "postgres" });
  browser = await startBrowser();
  t.teardown(() => browser.close());
  first = await textArrives("FIRST");
});

const visit = (t: Test, use: (visit: Visit) => Promise<void>): Promise<void> => visitOf(t, browser, stack.url, use);

const signInHere = (page: Page, role: Role): Promise<void> => signInAs(page, stack.party.people[role], inChinese);

/** Sends a text, which the server looks at at once. @returns its name when that is done. */
async function textArrives(recorderSerial: string): Promise<string> {
  const file = join(stack.directory, `${recorderSerial}.txt`);
  const fileName = `XWBL_${recorderSerial}.txt`;
  await writeFile(file, `${recorderSerial}：现场无人。\n`);
  const sent = await sendClip(stack.url, stack.party.token, file, { ...someMetadata, fileName, recorderSerial });
  await untilDone(stack, sent.json<{ id: string }>().id);
  return fileName;
}

t.test("a clip that arrives while the list is open appears in it, and its state changes there", (t) =>
  visit(t, async ({ page }) => {
    await page.goto(`${stack.url}/clips`);
    await signInHere(page, "handler");
    await page.getByRole("row", { name: first }).waitFor();
    const fileName = await textArrives("LIVE-1");
    const row = page.getByRole("row", { name: fileName });
    await row.waitFor();
    await row.getByText("已固定").waitFor();
    t.equal(await page.getByRole("row", { name: first }).count(), 1, "beside what was there");
    await page.evaluate("window.stillTheSamePage = true");
    await page.getByRole("button", { name: /退出登录/ }).click();
    await page.getByLabel("用户名", { exact: true }).waitFor();
    t.equal(await page.evaluate("window.stillTheSamePage"), true, "nothing was loaded anew");
  }),
);

t.test("what arrives while the list is on its way is in it, although the answer is from before", (t) =>
  visit(t, async ({ page }) => {
    const { promise: after, resolve: goOn } = Promise.withResolvers<void>();
    const { promise: asked, resolve: isAsked } = Promise.withResolvers<void>();
    let first = true;
    await page.route(/\/api\/v1\/clips\?/, async (route) => {
      if (!first) return route.continue();
      first = false;
      const response = await route.fetch();
      isAsked();
      await after;
      await route.fulfill({ response });
    });
    await page.goto(`${stack.url}/clips`);
    await signInHere(page, "handler");
    await asked;
    const fileName = await textArrives("LIVE-2");
    await page.evaluate(`new Promise((heard) => {
      const events = new EventSource("/api/v1/events");
      events.addEventListener("ready", () => { events.close(); heard(); });
    })`);
    // The page has heard of all of it, and has done about it what it does.
    await pause(2000);
    goOn();
    await page.getByRole("row", { name: fileName }).getByText("已固定").waitFor();
  }),
);

t.test("the list goes on as somebody scrolls, and only what can be seen is in the page", async (t) => {
  await sql`
    INSERT INTO clip SELECT (jsonb_populate_record(clip, jsonb_build_object('id', gen_random_uuid(), 'kind', 'text',
        'sha256', encode(sha256(n::text::bytea), 'hex'), 'object_key', n::text, 'file_name', 'page-' || n || '.txt',
        'received_at', received_at - n * interval '1 second'))).*
      FROM clip, generate_series(1, 1500) AS n WHERE file_name = ${first}`.execute(stack.db);
  await visit(t, async ({ page }) => {
    await page.goto(`${stack.url}/clips`);
    await signInHere(page, "handler");
    await page.getByText("已载入 100 条").waitFor();
    const scroll = () => page.evaluate("document.querySelector('.clip-scroll').scrollBy(0, 1e9)");
    await until("all of it is loaded", async () => {
      await scroll();
      return (await page.getByText("共 1503 条").count()) > 0;
    });
    await scroll();
    await page.getByRole("link", { name: "page-1500.txt" }).waitFor();
    const rows = await page.locator(".clip-rows .clip-row").count();
    t.ok(rows > 5 && rows < 60, `${rows} of 1503 rows are in the page`);
    await page.getByText("缩略图", { exact: true }).click();
    await page.getByRole("link", { name: first }).waitFor();
    t.ok((await page.locator(".clip-card").count()) < 120, "of the pictures as well");
  });
});
