import { open } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import t, { type Test } from "tap";
import { ContentDigests, encodeReceipt, encodeSealManifest, parseSealManifest } from "#evidence";
import { type Trust, verifyDocument } from "#verify";
import { startBrowser, watchedPage } from "../support/browser.ts";
import { root } from "../support/forged-timestamps.ts";
import { ORIGINAL, sealBundle } from "../support/seal-bundle.ts";
import { FILE, sealedClip } from "../support/sealed-clip.ts";

// docs/verify.html as a court clerk uses it: opened from a USB stick, without network, files dropped in.

/** The page knows what time it is. */
const anHourAgo = new Date(Date.now() - 3_600_000);

const address = pathToFileURL(join(import.meta.dirname, "../../docs/verify.html")).href;
const browser = await startBrowser();
t.teardown(() => browser.close());

const json = (name: string, text: string) => ({ name, mimeType: "application/json", buffer: Buffer.from(text) });
const video = (name: string, buffer: Buffer) => ({ name, mimeType: "video/mp4", buffer });
const trustFile = (trust: object) => json("trust.json", JSON.stringify({ type: "dockseal/trust@v1", ...trust }));

/** Opens the page; at the end it must have asked the network for nothing and complained about nothing. */
async function withPage(
  t: Test,
  use: (page: Page) => Promise<void>,
  options: Parameters<typeof watchedPage>[1] = {},
): Promise<void> {
  const { page, requests, complaints } = await watchedPage(browser, options);
  await page.goto(address);
  await page.waitForSelector("html[data-ready]");
  await use(page);
  t.same(requests, [address], "nothing but the page itself was asked for");
  t.same(complaints, [], "and it complained about nothing");
  await page.context().close();
}

/** Lets go of files over the page, as a mouse does. */
async function drop(page: Page, files: readonly { name: string; mimeType: string; buffer: Buffer }[]): Promise<void> {
  const all = files.map(({ name, mimeType, buffer }) => [name, mimeType, buffer.toString("base64")]);
  const transfer = await page.evaluateHandle(`(() => {
    const transfer = new DataTransfer();
    for (const [name, type, base64] of ${JSON.stringify(all)}) {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      transfer.items.add(new File([bytes], name, { type }));
    }
    return transfer;
  })()`);
  await page.dispatchEvent("#zone", "drop", { dataTransfer: transfer });
  await settle(page);
}

const settle = (page: Page) => page.waitForSelector("body.has-results:not([aria-busy])", { timeout: 120_000 });
const verdicts = (page: Page) => page.$$eval(".card h2", (all) => all.map((each) => each.textContent));
const failed = (page: Page) =>
  page.$$eval("tr[data-status=failed]", (rows) => rows.map((row) => row.getAttribute("data-check")));
const lines = (page: Page) =>
  page.$$eval("tr", (rows) =>
    rows.map((row) => `${row.getAttribute("data-check")} ${row.getAttribute("data-status")}`),
  );

const PASSED = "✓通过Passed";
const FAILED = "✗未通过Failed";
const INCOMPLETE = "…尚未完成Incomplete";

t.test("a receipt and its file that are dropped in pass, with and without a trust file", (t) =>
  withPage(t, async (page) => {
    const { text, trust, file } = await sealedClip({ at: anHourAgo });
    const inNode = async (given: { trust?: Trust }) => {
      const { checks } = await verifyDocument(text, { ...given, file, now: new Date() });
      return checks.map(({ name, status }) => `${name} ${status}`);
    };
    await drop(page, [json("a.receipt.json", text), video("录像.mp4", FILE)]);
    t.same(await verdicts(page), [PASSED]);
    t.same(await lines(page), await inNode({}), "each check has its line, as on the command line");
    await drop(page, [trustFile(trust)]);
    t.same(await verdicts(page), [PASSED]);
    t.same(await lines(page), await inNode({ trust }));
  }),
);

t.test(
  "a changed file, a changed receipt and keys that are not trusted fail, and the failing lines say why",
  async (t) => {
    const { text, receipt, trust } = await sealedClip({ at: anHourAgo });
    const manifest = parseSealManifest(receipt.manifest);
    const changed = Buffer.from(FILE.map((byte, n) => (n === 3 ? byte ^ 1 : byte)));
    const other = encodeSealManifest({ ...manifest, sha256: "00".repeat(32) });
    for (const [why, files, failing] of [
      ["another file", [json("r.json", text), video("v", changed)], ["file-sha256", "file-sm3", "file-chunk-root"]],
      [
        "a manifest that was not sealed",
        [json("r.json", encodeReceipt({ ...receipt, manifest: other })), video("v", FILE)],
        ["manifest", "timestamp-token", "file-sha256"],
      ],
      [
        "no receipt at all",
        [json("r.json", `{ "type": "dockseal/receipt@v1" }`), video("v", FILE)],
        ["receipt-format"],
      ],
      [
        "another authority",
        [json("r.json", text), video("v", FILE), trustFile({ ...trust, timestampRoots: [root().pem] })],
        ["timestamp-authority-trusted"],
      ],
    ] as const) {
      await withPage(t, async (page) => {
        await drop(page, files);
        t.same(await verdicts(page), [FAILED], why);
        t.same(await failed(page), failing, why);
      });
    }
  },
);

t.test("what is missing is said: a receipt alone, a file alone, a file of another receipt, a broken trust file", (t) =>
  withPage(t, async (page) => {
    const { text } = await sealedClip({ at: anHourAgo });
    await drop(page, [json("r.json", text)]);
    t.same(await verdicts(page), [INCOMPLETE]);
    await drop(page, [video("v", FILE)]);
    t.same(await verdicts(page), [PASSED], "until the file comes as well");
    await drop(page, [video("w", ORIGINAL)]);
    t.same(await verdicts(page), [PASSED, FAILED], "a file that no receipt is about");
    await drop(page, [json("trust.json", `{ "type": "dockseal/trust@v1" }`)]);
    t.same(await verdicts(page), [FAILED, PASSED, FAILED]);
    await page.click("#again");
    t.same(await verdicts(page), []);
    await drop(page, [video("v", FILE)]);
    t.same(await verdicts(page), [INCOMPLETE]);
  }),
);

t.test("a seal bundle and its file pass, and fail when the file was changed", (t) =>
  withPage(t, async (page) => {
    const { text, trust } = await sealBundle();
    await drop(page, [json("a.sigstore.json", text), trustFile(trust), video("v", ORIGINAL)]);
    t.same(await verdicts(page), [PASSED]);
    t.notMatch((await lines(page)).join(), /failed|not-checked/);
    await page.click("#again");
    await drop(page, [json("a.sigstore.json", text), trustFile(trust), video("v", FILE)]);
    t.same([await verdicts(page), await failed(page)], [[FAILED], ["file-sha256"]]);
  }),
);

t.test("it works by keyboard alone, and in the dark", (t) =>
  withPage(
    t,
    async (page) => {
      const { text } = await sealedClip({ at: anHourAgo });
      await page.keyboard.press("Tab");
      t.equal(await page.evaluate("document.activeElement.id"), "files");
      const chooser = page.waitForEvent("filechooser");
      await page.evaluate("document.activeElement.id"); // by now the browser has been told to hand choosers over
      await page.keyboard.press("Space");
      await (await chooser).setFiles([json("r.json", text), video("v", FILE)]);
      await settle(page);
      t.same(await verdicts(page), [PASSED]);
      await page.keyboard.press("Tab");
      t.equal(await page.evaluate("document.activeElement.id"), "again");
      const [ink, ground] = await page.evaluate<[number, number]>(`(() => {
        const { color, backgroundColor } = getComputedStyle(document.body);
        return [color, backgroundColor].map((value) => Number(/[0-9]+/.exec(value)[0]));
      })()`);
      t.ok(ink > ground, "light letters on dark");
    },
    { colorScheme: "dark" },
  ),
);

t.test("a large file is read in pieces, and nothing of it is kept", (t) =>
  withPage(t, async (page) => {
    const path = join(t.testdir(), "large.mp4");
    const file = await open(path, "w");
    const digests = new ContentDigests();
    const piece = Buffer.alloc(8 * 1024 * 1024, "dockseal");
    for (let n = 0; n < 24; n += 1) {
      await file.write(piece);
      digests.update(piece);
    }
    await file.close();
    const { sizeBytes, sha256, sm3 } = digests.finish();
    await page.setInputFiles("#files", path);
    await settle(page);
    const shown = await page.$$eval("dd", (all) => all.map((each) => each.textContent));
    t.same(shown, [String(sizeBytes), sha256, sm3], "the digests of the whole");
    const session = await page.context().newCDPSession(page);
    await session.send("HeapProfiler.collectGarbage");
    const heap = (await session.send("Runtime.getHeapUsage")) as { usedSize: number; backingStorageSize?: number };
    const held = heap.usedSize + (heap.backingStorageSize ?? 0);
    t.ok(held < 64 * 1024 * 1024, `${held} bytes are held afterwards`);
  }),
);
