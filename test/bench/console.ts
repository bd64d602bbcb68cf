import { createReadStream } from "node:fs";
import { stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { createPerson } from "#identity";
import { pause } from "#kernel";
import { startBrowser } from "../support/browser.ts";
import { signInAs } from "../support/console.ts";
import { sendRaw, someMetadata } from "../support/curl.ts";
import { ffmpeg } from "../support/derive-media.ts";
import type { Endings } from "./endings.ts";
import { type Product, startProduct } from "./product.ts";
import { median, percentile, type Row, rounded } from "./report.ts";

export interface ConsoleOptions {
  /** Length of the clip. */
  readonly clipSeconds: number;
  /** In each round, by each way. */
  readonly views: number;
  readonly rounds: number;
  readonly progress: (line: string) => void;
}

const ours = "clip page, store on Ceph RGW";
const plain = "plain server";
const person = { signInName: "viewer", password: "correct horse battery staple" };
const longestMs = 600_000;

/**
 * From a click until the first frame that comes of it is on the screen: on the page of a clip, where the purpose is noted
 * in between and the bytes come from Ceph RGW, and on a page that does nothing but show the same file of this machine.
 */
export async function benchConsole(endings: Endings, options: ConsoleOptions): Promise<Row[]> {
  const { progress } = options;
  const product = await startProduct(endings);
  const { url, db, organizationId, directory } = product;
  await createPerson(db, { ...person, organizationId, displayName: "测量", role: "supervisor" });
  await product.startWorker(endings, "hash,timestamp,bind,transcode");
  const clipId = await playableClip(product, options);
  const browser = await startBrowser();
  endings.teardown(() => browser.close());
  const signedIn = await browser.newContext();
  const page = await signedIn.newPage();
  await page.goto(url);
  await signInAs(page, { name: person.signInName, password: person.password });
  await page.getByRole("button", { name: "退出登录" }).waitFor();
  const state = await signedIn.storageState();
  const copy = await copyOfPlayback(page, clipId, join(directory, "copy.mp4"));
  await signedIn.close();
  progress(`the playable copy of ${options.clipSeconds} s has ${copy.sizeBytes} bytes`);
  const peer = await servePlainly(endings, copy);

  let views = 0;
  const onClipPage = async (): Promise<number> => {
    views += 1;
    return firstFrameMs(browser, state, `${url}/clips/${clipId}`, async (page) => {
      await page.getByRole("radio", { name: "其他" }).check();
      // Each is a viewing of its own, with an event.
      await page.getByLabel("请写明目的").fill(`测量 ${views}`);
      return page.getByRole("button", { name: "开始调阅" }).click();
    });
  };
  const onPlainPage = (): Promise<number> =>
    firstFrameMs(browser, undefined, peer, (page) => page.getByRole("button").click());

  const [mine, theirs, ratios]: [number[], number[], number[]] = [[], [], []];
  // Round 0 warms up.
  for (let round = 0; round <= options.rounds; round += 1) {
    const [a, b]: [number[], number[]] = [[], []];
    for (let view = 0; view < (round === 0 ? 1 : options.views); view += 1) {
      a.push(await onClipPage());
      b.push(await onPlainPage());
    }
    progress(`round ${round}: ${ours} ${median(a).toFixed(0)} ms, ${plain} ${median(b).toFixed(0)} ms`);
    if (round === 0) continue;
    mine.push(...a);
    theirs.push(...b);
    ratios.push(median(a) / median(b));
  }
  const figures = (ms: readonly number[]) => ({
    p50Ms: rounded(median(ms), 1),
    p99Ms: rounded(percentile(ms, 99), 1),
  });
  return [
    { bench: "console", path: ours, ...figures(mine), ratioTo: { [plain]: rounded(median(ratios), 3) } },
    { bench: "console", path: plain, ...figures(theirs) },
  ];
}

/** Sends a recording as a body camera makes it, and waits until it is sealed and can be played. @returns its id. */
async function playableClip({ url, token, directory, db }: Product, options: ConsoleOptions): Promise<string> {
  const file = join(directory, "recording.mp4");
  const seconds = String(options.clipSeconds);
  await ffmpeg(
    ...["-f", "lavfi", "-i", `testsrc2=s=1920x1080:r=25:d=${seconds},noise=alls=12:allf=t`],
    ...["-f", "lavfi", "-i", `sine=d=${seconds}`, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"],
    ...["-b:v", "8M", "-maxrate", "10M", "-bufsize", "16M", "-g", "50", "-c:a", "aac", file],
  );
  const sent = await sendRaw(url, token, file, { ...someMetadata, fileName: "recording.mp4" });
  if (sent.status !== 201) throw new Error(`${sent.status} ${sent.body}`);
  const { id } = sent.json<{ id: string }>();
  for (const from = performance.now(); performance.now() - from < longestMs; await pause(200)) {
    const clip = await db.selectFrom("clip").select(["state", "playable"]).where("id", "=", id).executeTakeFirst();
    if (clip?.state === "sealed" && clip.playable !== null) {
      if (!clip.playable) throw new Error("the clip cannot be played");
      return id;
    }
  }
  throw new Error(`the clip was not sealed and examined within ${longestMs} ms`);
}

/** Fetches the playable copy as the person who is signed in on the page. */
async function copyOfPlayback(page: Page, clipId: string, file: string): Promise<{ file: string; sizeBytes: number }> {
  const { origin } = new URL(page.url());
  const base = `${origin}/api/v1/clips/${clipId}`;
  const session = await page.request.get(`${origin}/api/v1/session`);
  const { csrfToken } = (await session.json()) as { csrfToken: string };
  const headers = { "x-csrf-token": csrfToken };
  const stated = await page.request.post(`${base}/viewings`, { data: { purpose: "测量" }, headers });
  if (stated.status() !== 201) throw new Error(`${stated.status()} ${await stated.text()}`);
  await writeFile(file, await (await page.request.get(`${base}/playback`)).body());
  return { file, sizeBytes: (await stat(file)).size };
}

/** A server as short as one can be. @returns the address of a page with a button that shows the file. */
async function servePlainly(
  endings: Endings,
  { file, sizeBytes }: { file: string; sizeBytes: number },
): Promise<string> {
  const page = `<!doctype html><title>plain</title><button>show</button><script>
    document.querySelector("button").onclick = () => {
      const video = document.createElement("video");
      video.autoplay = true;
      video.src = "/file.mp4";
      document.body.append(video);
    };</script>`;
  const server = createServer((request, response) => {
    if (request.url !== "/file.mp4") {
      response.writeHead(200, { "content-type": "text/html" }).end(page);
      return;
    }
    const [, from = "0", to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const [start, end] = [Number(from), to ? Number(to) : sizeBytes - 1];
    response.writeHead(206, {
      "accept-ranges": "bytes",
      "content-type": "video/mp4",
      "content-length": end - start + 1,
      "content-range": `bytes ${start}-${end}/${sizeBytes}`,
    });
    const stream = createReadStream(file, { start, end });
    response.once("close", () => stream.destroy());
    stream.pipe(response);
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  endings.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Runs in the page: tells the time from the last click until the first frame of a video was handed to the screen. */
const watching = `
  let clicked;
  addEventListener("click", () => { clicked = performance.now(); }, true);
  new MutationObserver(() => {
    const video = document.querySelector("video");
    if (video === null || video.isWatched) return;
    video.isWatched = true;
    video.requestVideoFrameCallback((_, { presentationTime }) => { firstFrameSeen(presentationTime - clicked); });
  }).observe(document, { childList: true, subtree: true });`;

/** In a browser context of its own, which has nothing in its cache. @param view ends with the click. */
async function firstFrameMs(
  browser: Browser,
  storageState: Awaited<ReturnType<Awaited<ReturnType<Browser["newContext"]>>["storageState"]>> | undefined,
  address: string,
  view: (page: Page) => Promise<void>,
): Promise<number> {
  const context = await browser.newContext({
    viewport: { width: 1920, height: 1080 },
    ...(storageState !== undefined && { storageState }),
  });
  try {
    const page = await context.newPage();
    const { promise: seen, resolve } = Promise.withResolvers<number>();
    await page.exposeFunction("firstFrameSeen", resolve);
    await page.addInitScript(watching);
    await page.goto(address);
    await view(page);
    const ms = await Promise.race([seen, pause(60_000)]);
    if (ms === undefined) throw new Error("no frame within a minute");
    return ms;
  } finally {
    await context.close();
  }
}
