import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import t, { type Test } from "tap";
import { pause } from "#kernel";
import { startBrowser } from "../support/browser.ts";
import { signInAs, untilDone, type Visit, visitOf } from "../support/console.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { sample } from "../support/derive-media.ts";
import { frameNumber, framesPerSecond, numberedFrames } from "../support/numbered-frames.ts";
import { signIn } from "../support/people.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

// The player shows the frame that somebody goes to: read off the screen, by ffmpeg. And nothing before it is noted what for.

let stack: Stack;
let browser: Browser;
const frames = 300;
const clips: Record<"numbered" | "first" | "second" | "third" | "sound" | "photo" | "text", string> = {
  ...{ numbered: "", first: "", second: "", third: "", sound: "", photo: "", text: "" },
};

t.before(async () => {
  stack = await startStack(t, { store: "filesystem", queue: "postgres" });
  browser = await startBrowser();
  t.teardown(() => browser.close());
  const zone = { capturedAtZone: "Asia/Shanghai" };
  const send = async (path: string, metadata: Record<string, unknown>): Promise<string> => {
    const sent = await sendClip(stack.url, stack.party.token, path, { ...someMetadata, ...zone, ...metadata });
    if (sent.status !== 201) throw new Error(sent.body);
    return sent.json<{ id: string }>().id;
  };
  const path = (name: string): string => join(stack.directory, name);
  await numberedFrames(path("numbered.mp4"), frames);
  clips.numbered = await send(path("numbered.mp4"), { fileName: "numbered.mp4" });
  const segments = [
    ["first", "2026-11-21 10:00:00", 1000],
    ["second", "2026-11-21 10:00:02", 2000],
    ["third", "2026-11-21 10:00:10", 3000],
  ] as const;
  for (const [n, [name, capturedAt, first]] of segments.entries()) {
    const fileName = `${name}.mp4`;
    await numberedFrames(path(fileName), 2 * framesPerSecond, first);
    clips[name] = await send(path(fileName), { fileName, capturedAt, sequence: n + 1, recorderSerial: "SEGMENTS" });
  }
  await copyFile(await sample(stack.directory, "sound.wav"), path("rec.wav"));
  clips.sound = await send(path("rec.wav"), { fileName: "rec.wav", recorderSerial: "SOUND" });
  await copyFile(await sample(stack.directory, "photo.jpg"), path("still.jpg"));
  clips.photo = await send(path("still.jpg"), { fileName: "still.jpg", recorderSerial: "PHOTO" });
  await writeFile(path("note.txt"), "现场无人。\n");
  clips.text = await send(path("note.txt"), { fileName: "note.txt", recorderSerial: "TEXT" });
  for (const id of Object.values(clips)) await untilDone(stack, id);
  const handler = await signIn(stack, "handler");
  await until("the recording has three segments", async () => {
    const { recordingId } = await handler.get<{ recordingId: string | null }>(`/api/v1/clips/${clips.first}`);
    if (recordingId === null) return false;
    const recording = await handler.get<{ segmentCount: number }>(`/api/v1/recordings/${recordingId}`);
    return recording.segmentCount === 3;
  });
});

const visit = (t: Test, use: (visit: Visit) => Promise<void>, options?: BrowserContextOptions): Promise<void> =>
  visitOf(t, browser, stack.url, use, options);

/** Opens a clip's page at the sign-in, or where somebody is signed in. */
async function open(page: Page, path: string): Promise<void> {
  await page.goto(`${stack.url}${path}`);
  await page
    .getByText("请先说明调阅目的")
    .or(page.getByLabel("用户名", { exact: true }))
    .waitFor();
  if (await page.getByLabel("用户名", { exact: true }).isVisible()) await signInAs(page, stack.party.people.supervisor);
}

async function state(page: Page, purpose: string): Promise<void> {
  await page.getByRole("radio", { name: "其他" }).check();
  await page.getByLabel("请写明目的").fill(purpose);
  await page.getByRole("button", { name: "开始调阅" }).click();
}

/** Until a picture on the screen shows that frame. */
async function shows(t: Test, picture: Locator, frame: number, how: string): Promise<void> {
  let seen: number | undefined;
  const deadline = Date.now() + 60_000;
  do {
    seen = await frameNumber(await picture.screenshot());
    if (seen === frame) break;
    await pause(50);
  } while (Date.now() < deadline);
  t.equal(seen, frame, how);
}

/** What begins to play on the page goes round: however late a key comes that pauses it, it has not ended. */
async function goesRound(page: Page): Promise<void> {
  await page.addInitScript(`document.addEventListener("play", ({ target }) => { target.loop = true; }, true)`);
}

/** Pauses by key what plays; from then on it has an end again. */
async function pauseByKey(t: Test, page: Page): Promise<void> {
  await until("it plays", async () => Number(await page.evaluate("document.querySelector('video').currentTime")) > 0);
  await page.keyboard.press("Space");
  t.equal(await page.evaluate("document.querySelector('video').paused"), true, "the space bar pauses");
  await page.evaluate("document.querySelector('video').loop = false");
}

const timeLine = (page: Page): Locator => page.getByRole("slider", { name: "播放位置" });

/** Where the middle of a frame lies on the time line. */
async function placeOf(page: Page, frame: number): Promise<{ x: number; y: number }> {
  const duration = Number(await page.evaluate("document.querySelector('video').duration"));
  const box = await timeLine(page).boundingBox();
  if (box === null) throw new Error("no time line");
  return { x: box.x + ((frame + 0.5) / framesPerSecond / duration) * box.width, y: box.y + box.height / 2 };
}

async function hasEnded(page: Page, id: string): Promise<boolean> {
  return (await page.evaluate(`document.querySelector("video[src*='${id}']")?.ended`)) === true;
}

async function viewingsOf(id: string): Promise<unknown[]> {
  const auditor = await signIn(stack, "auditor");
  const { items } = await auditor.get<{
    items: { type: string; details: { purpose?: string; rendition?: string } }[];
  }>(`/api/v1/clips/${id}/custody`);
  return items
    .filter(({ type }) => type === "clip.viewed")
    .map(({ details: { purpose, rendition } }) => (rendition === undefined ? purpose : [purpose, rendition]));
}

t.test("by mouse, by keyboard and by writing a time one comes to the frame that one means", (t) =>
  visit(t, async ({ page, complaints }) => {
    const asked: string[] = [];
    page.on("request", (request) => {
      const name = /\/(viewings|original|playback|sprite)$/.exec(request.url())?.[1];
      if (name !== undefined) asked.push(name);
    });
    page.on("response", (response) => {
      if (response.url().endsWith("/viewings") && response.status() === 201) asked.push("noted");
    });
    // The server does not note it the first time.
    let noted = 0;
    await page.route("**/viewings", (route) => {
      noted += 1;
      if (noted > 1) return route.continue();
      const problem = { type: "/problems/forbidden", title: "t", status: 403, advice: "a", requestId: "r" };
      return route.fulfill({ status: 403, contentType: "application/problem+json", body: JSON.stringify(problem) });
    });
    await goesRound(page);
    await open(page, `/clips/${clips.numbered}`);
    t.equal(await page.locator("video").count(), 0);
    await state(page, "核对画面");
    await page.locator(".purpose").getByText("没有权限").waitFor();
    t.match(complaints(), [/403/], "what is not noted is said");
    t.same(asked, ["viewings"], "and nothing is asked for");
    const video = page.locator("video");
    t.equal(await video.count(), 0);
    await page.getByRole("button", { name: "开始调阅" }).click();
    await video.waitFor();
    await until("the small frames are asked for", async () => asked.includes("sprite"));
    t.same(
      asked.slice(0, 4),
      ["viewings", "viewings", "noted", "playback"],
      "the picture is asked for when it is noted",
    );
    t.same(await viewingsOf(clips.numbered), ["核对画面"], "in the chain of custody");
    t.match(
      await page.locator(".watermark").innerText(),
      /^supervisor · 监督人员\n甲局 [0-9a-f]{8}\n核对画面\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/,
      "who, of what organization, what for and when stands over the picture",
    );

    await pauseByKey(t, page);
    await timeLine(page).focus();
    await page.keyboard.press("Home");
    await shows(t, video, 0, "Home: the first frame");
    await page.keyboard.press(".");
    await shows(t, video, 1, "the second is one step on");
    await page.keyboard.press(",");
    await shows(t, video, 0, "and one back the first again");
    await page.keyboard.press("End");
    await shows(t, video, frames - 1, "End: the last frame");
    await page.keyboard.press(",");
    await shows(t, video, frames - 2, "one step back from the end");

    const { x, y } = await placeOf(page, 120);
    await page.mouse.click(x, y);
    await shows(t, video, 120, "a click on the time line");
    await page.keyboard.press("ArrowRight");
    await shows(t, video, 120 + 5 * framesPerSecond, "→: five seconds on");
    for (const key of [".", ".", "."]) await page.keyboard.press(key);
    await shows(t, video, 248, "three steps at once are three frames");
    for (const key of [",", ","]) await page.keyboard.press(key);
    await shows(t, video, 246, "two steps back");
    await page.getByRole("button", { name: "下一帧" }).click();
    await shows(t, video, 247, "by the button as well");
    await page.getByRole("button", { name: "后退 5 秒" }).click();
    await shows(t, video, 122, "five seconds back");

    const jump = page.getByLabel("跳到时间");
    await jump.fill("0:07.5");
    await jump.press("Enter");
    await shows(t, video, 187, "0:07.5 is in frame 187");
    await jump.fill("1:23");
    await jump.press("Enter");
    await page.getByRole("alert").getByText("录像中没有这个时间").waitFor();
    await jump.fill("09：30：08.5");
    await jump.press("Enter");
    await shows(t, video, 212, "and a time of day leads there too, from a Chinese keyboard");
    t.match(await page.locator(".player-time").innerText(), /00:08\.50\s+\/ 00:12\.\d\d\s+09:30:08/);

    const from = await placeOf(page, 40);
    const to = await placeOf(page, 255);
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move((from.x + to.x) / 2, from.y, { steps: 5 });
    await page.mouse.move(to.x, to.y, { steps: 5 });
    await page.mouse.up();
    await shows(t, video, 255, "dragging ends where one lets go");

    const over = await placeOf(page, 170);
    await page.mouse.move(over.x, over.y);
    const preview = page.locator(".preview[data-shown=true] .preview-picture");
    await preview.waitFor();
    await shows(t, preview, 150, "the small frame under the pointer is that of the second it lies in");
    t.match(await page.locator(".preview-time").innerText(), /00:06\.8\d 09:30:06/);
    t.ok((await page.locator(".time-line .waveform path").getAttribute("d"))?.includes("L"), "over the sound");
    await shows(t, video, 255, "the picture stays where it was");

    await jump.fill("4.2");
    await jump.press("Enter");
    await shows(t, video, 105, "to a moment that is worth citing");
    await page.getByRole("button", { name: "引用此刻的画面" }).click();
    await page.waitForURL(/\?t=4\.2\d\d$/);
    const link = new URL(page.url());
    await open(page, link.pathname + link.search);
    await state(page, "核对画面");
    await shows(t, video, 105, "its link opens at that frame");
    t.equal(await page.evaluate("document.querySelector('video').paused"), true, "and stays there");
    await page.getByRole("button", { name: "全屏" }).click();
    await until(
      "it fills the screen",
      async () => (await page.evaluate("document.fullscreenElement !== null")) === true,
    );
    await page.getByRole("combobox", { name: "速度" }).click();
    await page.getByTitle("2×").click();
    t.equal(await page.evaluate("document.querySelector('video').playbackRate"), 2, "all works in full screen too");
    await page.evaluate("document.exitFullscreen()");
    await page.getByRole("button", { name: "更改" }).click();
    await state(page, "另一目的");
    await video.waitFor();
    await page.getByText("您调阅了本文件，目的：另一目的").waitFor();
    t.same(
      await viewingsOf(clips.numbered),
      ["核对画面", "另一目的"],
      "the same purpose is one viewing, another is two",
    );
  }),
);

t.test("the clips of one recording are played on end, each noted by itself", (t) =>
  visit(t, async ({ page }) => {
    await open(page, `/clips/${clips.first}`);
    const segments = page.locator(".segments .segment");
    await segments.nth(2).waitFor();
    t.match(await page.locator(".segments").innerText(), /10:00:00[\s\S]*10:00:02[\s\S]*空缺 00:06[\s\S]*10:00:10/);
    t.match(await segments.nth(0).getAttribute("aria-current"), "true");
    await state(page, "看全过程");
    await page.getByRole("button", { name: "全屏" }).click();
    await until(
      "it plays in full screen",
      async () => (await page.evaluate("document.fullscreenElement !== null")) === true,
    );
    await page.waitForURL(`${stack.url}/clips/${clips.third}`);
    t.equal(await page.evaluate("document.fullscreenElement !== null"), true, "full screen stays");
    await until("the last one has ended", () => hasEnded(page, clips.third));
    await page.evaluate("document.exitFullscreen()");
    await shows(t, page.locator("video"), 3049, "the last frame of the last");
    t.match(await segments.nth(2).getAttribute("aria-current"), "true");
    for (const id of [clips.first, clips.second, clips.third]) {
      t.same(await viewingsOf(id), ["看全过程"], "asked once, noted for each");
    }
    await page.getByRole("checkbox", { name: "播完自动接下一段" }).uncheck();
    await segments.nth(1).click();
    await until("the second has ended", () => hasEnded(page, clips.second));
    await shows(t, page.locator("video"), 2049, "without going on one stays at the end");
    t.match(page.url(), new RegExp(`${clips.second}$`));
  }),
);

t.test("sound is seen as its shape, and an original is fetched only after saying what for", (t) =>
  visit(
    t,
    async ({ page }) => {
      await goesRound(page);
      await open(page, `/clips/${clips.sound}`);
      await state(page, "听录音");
      await page.locator(".picture-frame.sound .waveform").waitFor();
      await until("its length is known", async () => (await timeLine(page).getAttribute("aria-valuemax")) === "2");
      await pauseByKey(t, page);
      const box = await timeLine(page).boundingBox();
      t.ok((box?.height ?? 0) > 150, "the time line is the picture");
      await page.mouse.click((box?.x ?? 0) + (box?.width ?? 0) / 2, (box?.y ?? 0) + 100);
      const at = Number(await page.evaluate("document.querySelector('video').currentTime"));
      t.ok(Math.abs(at - 1) < 0.1, `the middle is one second on: ${at}`);
      t.equal(await page.getByRole("button", { name: "下一帧" }).count(), 0, "sound has no frames");

      await open(page, `/clips/${clips.photo}`);
      t.equal(await page.locator(".picture-frame").count(), 0);
      await state(page, "看照片");
      await page.getByRole("img", { name: "still.jpg" }).waitFor();
      await until("it is noted", async () => (await viewingsOf(clips.photo)).length === 2);
      t.same(await viewingsOf(clips.photo), ["看照片", ["看照片", "original"]], "a photo is shown as it came");

      await open(page, `/clips/${clips.text}`);
      t.equal(await page.getByText("下载原件").count(), 0);
      await state(page, "核对文本");
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("link", { name: "下载原件" }).click(),
      ]);
      t.equal(download.suggestedFilename(), "note.txt");
      await download.path();
      t.same(await viewingsOf(clips.text), ["核对文本", ["核对文本", "original"]]);
    },
    { viewport: { width: 1920, height: 1080 } },
  ),
);
