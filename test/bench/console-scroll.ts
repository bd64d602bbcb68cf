import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import type { CDPSession, Page } from "playwright-core";
import { type Database, inTransaction } from "#db";
import { createOrganization, createPerson, createStation } from "#identity";
import { pause } from "#kernel";
import { serveFlags } from "../../src/cli/node-flags.ts";
import { productScript } from "../support/bare-node.ts";
import { startBrowser } from "../support/browser.ts";
import { sample } from "../support/derive-media.ts";
import { freePort } from "../support/port.ts";
import { firstLineOf, startChild } from "./child.ts";
import type { Endings } from "./endings.ts";
import { startDatabase, temporaryDirectory } from "./product.ts";
import { median, percentile, type Row, rounded } from "./report.ts";

export interface ScrollOptions {
  /** Clips in the database. */
  readonly clips: number;
  /** Of these, so many are loaded in the browser before they are scrolled through. */
  readonly rows: number;
  /** Length of each measurement. */
  readonly seconds: number;
  readonly rounds: number;
  readonly progress: (line: string) => void;
}

/** Pixels a second: 100 rows of the table. */
const speed = 6_000;
const longFrameMs = 50;
const plain = "plain list";
const empty = "empty page";

/**
 * How smoothly the list of clips scrolls, in the table and in pictures, beside a list of as many plain lines and an empty
 * page of the same height, which are scrolled in the same way by the same browser in the same round.
 */
export async function benchConsoleScroll(endings: Endings, options: ScrollOptions): Promise<Row[]> {
  const { rows, rounds, progress } = options;
  const { url, name, password, poster } = await startConsole(endings, options);
  const browser = await startBrowser();
  endings.teardown(() => browser.close());
  const context = await browser.newContext({ viewport: { width: 1366, height: 768 } });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const devtools = await context.newCDPSession(page);
  await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
  // The pictures are not what is measured, but that they come is.
  await page.route("**/poster", (route) => route.fulfill({ contentType: "image/jpeg", body: poster }));
  const pagesMs: number[] = [];
  page.on("requestfinished", (request) => {
    if (/\/api\/v1\/clips\?/.test(request.url())) pagesMs.push(request.timing().responseEnd);
  });
  await page.goto(url);
  await page.getByLabel("用户名", { exact: true }).fill(name);
  await page.getByLabel("密码", { exact: true }).fill(password);
  await page.getByRole("button", { name: /^登 ?录$/ }).click();
  await page.locator(".clip-row").nth(1).waitFor();

  const found: Row[] = [];
  const measured = new Map<string, Figures[]>();
  const note = (path: string, figures: Figures): void =>
    void measured.set(path, [...(measured.get(path) ?? []), figures]);
  for (let round = 1; round <= rounds; round += 1) {
    for (const view of ["table", "wall"] as const) {
      const list = `clips, ${view === "table" ? "table" : "pictures"}`;
      await page.goto(`${url}/clips${view === "wall" ? "?view=wall" : ""}`);
      const before = await heapMiB(devtools);
      note(`${list}, pages load meanwhile`, await figuresOf(page, devtools, before, options));
      await load(page, rows);
      note(`${list}, ${rows} rows loaded`, await figuresOf(page, devtools, before, options));
    }
    for (const [path, html] of [
      [plain, plainList(rows)],
      [empty, `<div style="height:${rows * 60}px"></div>`],
    ] as const) {
      await page.goto("about:blank");
      const before = await heapMiB(devtools);
      await page.setContent(
        `<style>.clip-scroll{height:600px;overflow:auto}.line{height:60px}</style><div class="clip-scroll">${html}</div>`,
      );
      note(path, await figuresOf(page, devtools, before, options));
    }
    progress(`round ${round} of ${rounds}`);
  }
  for (const [path, all] of measured) {
    found.push({
      ...{ bench: "console-scroll", path },
      perSecond: rounded(median(all.map(({ perSecond }) => perSecond)), 1),
      p50Ms: rounded(median(all.map(({ p50Ms }) => p50Ms)), 1),
      p99Ms: rounded(median(all.map(({ p99Ms }) => p99Ms)), 1),
      longFramesPercent: rounded(median(all.map(({ longPercent }) => longPercent)), 2),
      cpuMsPerFrame: rounded(median(all.map(({ cpuMsPerFrame }) => cpuMsPerFrame)), 1),
      ratioTo: Object.fromEntries(
        [plain, empty].map((peer) => {
          const ratios = all.map(({ p99Ms }, round) => p99Ms / (measured.get(peer)?.[round]?.p99Ms ?? Number.NaN));
          return [peer, rounded(median(ratios), 2)];
        }),
      ),
      domNodes: Math.max(...all.map(({ domNodes }) => domNodes)),
      heapMiB: [
        rounded(median(all.map(({ heapBeforeMiB }) => heapBeforeMiB)), 1),
        rounded(median(all.map(({ heapAfterMiB }) => heapAfterMiB)), 1),
      ],
    });
  }
  found.push({
    ...{ bench: "console-scroll", path: `page of 100 among ${options.clips} clips` },
    p50Ms: rounded(percentile(pagesMs, 50), 1),
    p99Ms: rounded(percentile(pagesMs, 99), 1),
  });
  return found;
}

interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longPercent: number;
  readonly cpuMsPerFrame: number;
  readonly domNodes: number;
  readonly heapBeforeMiB: number;
  readonly heapAfterMiB: number;
}

async function figuresOf(
  page: Page,
  devtools: CDPSession,
  heapBeforeMiB: number,
  { seconds }: ScrollOptions,
): Promise<Figures> {
  await page.locator(".clip-scroll").waitFor();
  const cpuBeforeMs = await mainThreadMs(devtools);
  const framesMs = await page.evaluate<readonly number[]>(scrolling(seconds));
  const cpuMs = (await mainThreadMs(devtools)) - cpuBeforeMs;
  const domNodes = await page.evaluate<number>("document.querySelectorAll('*').length");
  const sum = framesMs.reduce((total, one) => total + one, 0);
  return {
    perSecond: (framesMs.length / sum) * 1000,
    p50Ms: percentile(framesMs, 50),
    p99Ms: percentile(framesMs, 99),
    longPercent: (framesMs.filter((one) => one > longFrameMs).length / framesMs.length) * 100,
    cpuMsPerFrame: cpuMs / framesMs.length,
    domNodes,
    heapBeforeMiB,
    heapAfterMiB: await heapMiB(devtools),
  };
}

/** Scrolls from the top at a constant speed, as long as it takes, and tells how long each frame took. */
function scrolling(seconds: number): string {
  return `new Promise((resolve) => {
    const scroller = document.querySelector(".clip-scroll");
    scroller.scrollTop = 0;
    const framesMs = [];
    let first, last;
    const frame = (now) => {
      if (last !== undefined) framesMs.push(now - last);
      first ??= now;
      last = now;
      if (now - first >= ${seconds * 1000}) return resolve(framesMs);
      scroller.scrollTop = ((now - first) / 1000) * ${speed};
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  })`;
}

/** Goes to the end until so many rows are loaded. */
async function load(page: Page, rows: number): Promise<void> {
  for (;;) {
    const text = await page.locator(".page-head [role=status]").innerText();
    if (Number(/\d+/.exec(text)?.[0] ?? 0) >= rows || text.startsWith("共")) return;
    await page.evaluate("document.querySelector('.clip-scroll').scrollBy(0, 1e9)");
    await pause(20);
  }
}

/** CPU time of the page's main thread since it began. */
async function mainThreadMs(devtools: CDPSession): Promise<number> {
  const { metrics } = await devtools.send("Performance.getMetrics");
  return (metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN) * 1000;
}

async function heapMiB(devtools: CDPSession): Promise<number> {
  await devtools.send("HeapProfiler.collectGarbage");
  const { usedSize } = await devtools.send("Runtime.getHeapUsage");
  return usedSize / 1024 ** 2;
}

function plainList(rows: number): string {
  const line = "<div class=line>DCAM_01_000123_20261121_093000.mp4 2026-11-21 09:30:00</div>";
  return line.repeat(rows);
}

/** `dockseal serve` on an embedded PostgreSQL with so many clips, and somebody who may see them. */
async function startConsole(endings: Endings, { clips, progress }: ScrollOptions) {
  const directory = await temporaryDirectory(endings);
  const { db, ownerUrl, appUrl } = await startDatabase(endings, directory);
  const password = "correct horse battery staple";
  const made = await inTransaction(db, async (tx) => {
    const { id } = await createOrganization(tx, "测量");
    const { station } = await createStation(tx, { organizationId: id, number: "00000000000000000001", name: "采集站" });
    return { organizationId: id, stationId: station.id };
  });
  const person = { signInName: "bench", displayName: "测量", role: "handler" } as const;
  await createPerson(db, { ...person, organizationId: made.organizationId, password });
  await addClips(db, { ...made, clips });
  progress(`${clips} clips`);
  const port = await freePort();
  const environment = {
    DOCKSEAL_DATABASE_URL: appUrl,
    DOCKSEAL_OWNER_DATABASE_URL: ownerUrl,
    DOCKSEAL_QUEUE_URL: ownerUrl,
    DOCKSEAL_STORE_URL: `file://${join(directory, "evidence")}?immutable=0`,
    DOCKSEAL_KEYS_DIR: join(directory, "keys"),
    DOCKSEAL_SCRATCH_DIR: join(directory, "scratch"),
    DOCKSEAL_PORT: String(port),
  };
  const log = await open(join(directory, "serve.log"), "a");
  endings.teardown(() => log.close());
  const stderr = log.fd;
  const serve = startChild(endings, { script: productScript, args: ["serve"], flags: serveFlags, environment, stderr });
  await firstLineOf(serve);
  const poster = await readFile(await sample(directory, "photo.jpg"));
  return { url: `http://127.0.0.1:${port}`, name: person.signInName, password, poster };
}

/** What one statement adds: it must not run out of time. */
const atOnce = 5_000;

/** Every second one is bound to a case, one in four shows no picture. */
async function addClips(
  db: Database,
  { organizationId, stationId, clips }: { organizationId: string; stationId: string; clips: number },
): Promise<void> {
  await sql`INSERT INTO recorder (id, organization_id, serial)
    SELECT gen_random_uuid(), ${organizationId}::uuid, 'DSJ-' || n FROM generate_series(0, 199) AS n`.execute(db);
  await sql`INSERT INTO case_file (id, organization_id, number)
    SELECT gen_random_uuid(), ${organizationId}::uuid, '罚〔2026〕' || n || '号' FROM generate_series(0, 999) AS n`.execute(
    db,
  );
  for (let from = 1; from <= clips; from += atOnce) {
    await sql`
    INSERT INTO clip (id, organization_id, station_id, recorder_id, state, kind, file_name, size_bytes, sha256, object_key,
      version_id, metadata, collector_number, captured_at_raw, captured_at, important, place_text, received_at, playable)
    SELECT gen_random_uuid(), ${organizationId}::uuid, ${stationId}::uuid, recorder.id, 'sealed',
      CASE WHEN n % 4 = 0 THEN 'audio' ELSE 'video' END, 'DCAM_01_000123_' || n || '.mp4', 1000000 + n,
      md5(n::text) || md5(n::text), n::text, '1', '{}', '3715' || n % 500, 'x', now() - make_interval(mins => n), n % 9 = 0,
      '人民路' || n % 300 || '号', now() - make_interval(mins => n), true
    FROM generate_series(${sql.lit(from)}, ${sql.lit(Math.min(from + atOnce - 1, clips))}) AS n JOIN recorder ON recorder.serial = 'DSJ-' || n % 200`.execute(
      db,
    );
    await sql`
    INSERT INTO binding (id, revision, clip_id, case_id, captured_at, capture_place, collector_number, evidence_purpose, made_by)
    SELECT gen_random_uuid(), 1, clip.id, case_file.id, 'x', 'p', 'c', 'e', 'system:bench'
    FROM clip JOIN case_file ON case_file.number = '罚〔2026〕' || clip.object_key::integer % 1000 || '号'
    WHERE clip.object_key::integer % 2 = 0 AND clip.object_key::integer >= ${sql.lit(from)}`.execute(db);
  }
  await sql`VACUUM ANALYZE clip, binding, case_file, recorder`.execute(db);
}
