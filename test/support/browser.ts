import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { pause } from "#kernel";

/** Debian's, which deploy/prepare.sh installs. */
const executablePath = "/usr/bin/chromium";

/** A headless browser that does nothing by itself. The caller closes it. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath,
    // as root Chromium has no sandbox of its own
    chromiumSandbox: process.getuid?.() !== 0,
    args: [
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** A page, everything that it asked the network for, and everything that it complained about. */
export async function watchedPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; requests: string[]; complaints: string[] }> {
  const context = await browser.newContext({ offline: true, ...options });
  const page = await context.newPage();
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { page, requests, complaints };
}

/**
 * Serious and critical faults that axe finds on what is shown: `rule: element and why`. Empty is good. A button that is
 * changing its colour, or a dialog that is coming, is looked at again: what counts is what stays.
 */
export async function seriousFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  for (let tries = 1; ; tries += 1) {
    const faults = await page.evaluate<string[]>(`axe.run().then(({ violations }) => violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => id + ": " + nodes.map(({ target, failureSummary }) => target.join(" ") + " " + failureSummary).join(", ")))`);
    if (faults.length === 0 || tries === 10) return faults;
    await pause(300);
  }
}
