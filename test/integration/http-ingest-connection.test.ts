import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type ProblemCode, pause } from "#kernel";
import { Caller } from "../support/api.ts";
import { type CurlAnswer, curl, sendClip, someMetadata } from "../support/curl.ts";
import { boundary, header, partHead, RawUpload, refusedWith, Traces } from "../support/refusals.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { TusStation, uploadMetadata } from "../support/tus.ts";
import { until } from "../support/until.ts";

const limit = 60_000_000;
const metadataPart = `${partHead({ name: "metadata" })}${JSON.stringify(someMetadata)}\r\n`;
const fileHead = partHead({ name: "file", fileName: "clip.bin", type: "application/octet-stream" });
const end = `\r\n--${boundary}--\r\n`;

/** Where an upload may stop: what was sent until then, of a body announced as 10 MB. */
const stops: [where: string, sent: (Buffer | string)[]][] = [
  ["before the body", []],
  ["in a part's head", [metadataPart.slice(0, 60)]],
  ["in the metadata", [metadataPart.slice(0, 150)]],
  ["between metadata and file", [metadataPart]],
  ["in the file's head", [metadataPart, fileHead.slice(0, 70)]],
  ["before the file's first byte", [metadataPart, fileHead]],
  ["in the file", [metadataPart, fileHead, randomBytes(3_000_000)]],
];

async function uploads(stack: Stack): Promise<number> {
  const { body } = await curl(`${stack.url}/metrics`);
  return Number(/^dockseal_uploads_running (\d+)$/m.exec(body)?.[1] ?? Number.NaN);
}

/** What a station can do about its uploads without sending a byte. Leaves an upload that is ended. */
async function worksWithoutBytes(t: Test, station: TusStation): Promise<void> {
  t.equal((await station.call("OPTIONS", "/api/v1/uploads")).status, 204, "it may ask what is spoken");
  const begun = await station.begin(5, {}, "content-type: application/offset+octet-stream");
  t.equal(begun.status, 201, "it may begin a resumable upload");
  const path = header(begun, "location") ?? "";
  t.equal(await station.offset(path), 0, "it may ask how far it is");
  refusedWith(t, await station.complete(path), 409, "upload-incomplete", "completing");
  t.equal((await station.call("DELETE", path)).status, 204, "it may end it");
}

/** So many uploads, and no others, had that outcome. */
async function counted(t: Test, stack: Stack, outcome: ProblemCode, count: number): Promise<void> {
  const { body } = await curl(`${stack.url}/metrics`);
  const counts = [...body.matchAll(/^dockseal_uploads_total\{outcome="(.*)"\} (\d+)$/gm)];
  t.same(
    counts.map(([, name, sum]) => [name, Number(sum)]),
    [[outcome, count]],
    "each is counted, and as nothing else",
  );
}

async function someStack(t: Test, variables: Record<string, string>, store: "filesystem" | "s3" = "filesystem") {
  const stack = await startStack(t, { store, queue: "postgres", withoutWorker: true, variables });
  return { stack, traces: await Traces.of(t, stack) };
}

for (const store of ["filesystem", "s3"] as const) {
  // Before the file's first byte no store has a part in it.
  const places = store === "s3" ? stops : stops.slice(-1);

  t.test(`a connection that stalls is told so, ${store} store`, async (t) => {
    const { stack, traces } = await someStack(t, { DOCKSEAL_UPLOAD_STALL_SECONDS: "1" }, store);
    const before = await traces.kept();
    for (const [where, sent] of places) {
      const upload = await RawUpload.open(stack.url);
      await upload.begin(stack.party.token, 10_000_000);
      for (const bytes of sent) await upload.send(bytes);
      const answer = await upload.answer();
      t.ok(answer, `stalled ${where}: there is an answer`);
      if (answer !== undefined) refusedWith(t, answer, 408, "upload-stalled", `stalled ${where}`);
      await traces.nothingLeft(t, before, `stalled ${where}`);
      upload.destroy();
    }
    await counted(t, stack, "upload-stalled", places.length);
  });

  t.test(`a connection that ends leaves nothing, ${store} store`, async (t) => {
    const { stack, traces } = await someStack(t, {}, store);
    const before = await traces.kept();
    for (const [where, sent] of places) {
      const upload = await RawUpload.open(stack.url);
      await upload.begin(stack.party.token, 10_000_000);
      for (const bytes of sent) await upload.send(bytes);
      // Not before the server has seen the request: else there is nothing to abort.
      await until("the upload runs", async () => (await uploads(stack)) === 1);
      upload.destroy();
      await until("the upload is over", async () => (await uploads(stack)) === 0);
      await traces.nothingLeftSoon(t, before, `broken off ${where}`);
    }
    const halfHead = await RawUpload.open(stack.url);
    await halfHead.send("POST /api/v1/clips HTTP/1.1\r\nhost: dockseal\r\nautho");
    halfHead.destroy();
    await traces.nothingLeft(t, before, "broken off in the headers");
    await counted(t, stack, "upload-aborted", places.length);
  });
}

t.test("a slow upload is not a stalled one", async (t) => {
  const { stack } = await someStack(t, { DOCKSEAL_UPLOAD_STALL_SECONDS: "5" });
  const bytes = Buffer.alloc(30, 7);
  const upload = await RawUpload.open(stack.url);
  const head = metadataPart + fileHead;
  await upload.begin(stack.party.token, head.length + bytes.length + end.length);
  await upload.send(head);
  for (const byte of bytes) {
    await upload.send(Buffer.from([byte]));
    await pause(500); // three times the limit altogether
  }
  await upload.send(end);
  t.match((await upload.answer())?.json(), { sizeBytes: 30, sha256: createHash("sha256").update(bytes).digest("hex") });
  upload.destroy();
});

t.test("a sender sees why it was refused even in the middle of 50 MB", async (t) => {
  const { stack, traces } = await someStack(t, { DOCKSEAL_MAX_CLIP_BYTES: String(limit) });
  const { url, party } = stack;
  const big = join(stack.directory, "big.bin");
  await writeFile(big, randomBytes(50_000_000));
  const bigger = join(stack.directory, "bigger.bin");
  await writeFile(bigger, Buffer.alloc(limit + 10_000_000, 1));
  const chunked = ["-H", "transfer-encoding: chunked"];
  const unknown = { ...someMetadata, colour: "red" };
  const refusals: [
    what: string,
    send: (...more: string[]) => Promise<CurlAnswer>,
    status: number,
    code: ProblemCode,
  ][] = [
    ["a wrong token", (...more) => sendClip(url, "dst_no", big, someMetadata, ...more), 401, "token-unknown"],
    ["wrong metadata", (...more) => sendClip(url, party.token, big, unknown, ...more), 400, "unknown-field"],
    [
      "too large, found by counting",
      (...more) => sendClip(url, party.token, bigger, someMetadata, ...chunked, ...more),
      413,
      "file-too-large",
    ],
  ];
  const before = await traces.kept();
  for (const [what, send, status, code] of refusals) {
    for (const way of [[], ["-H", "expect:"], ["-H", "expect:", "--limit-rate", "20M"]]) {
      refusedWith(t, await send(...way), status, code, `${what} ${way.join(" ")}`);
    }
    await traces.nothingLeft(t, before, what);
  }
  // One who goes on sending whatever the answer is gets the answer, and then the end of the connection.
  const deaf = await RawUpload.open(url);
  await deaf.begin("dst_no", limit);
  const answer = await deaf.answer();
  t.equal(answer?.status, 401, "the answer comes before the body");
  await deaf.send(randomBytes(1_000_000));
  await deaf.ended;
  t.pass("a connection with an unread body is not kept");
});

t.test("more uploads than the memory budget holds are told to come again", async (t) => {
  const { stack, traces } = await someStack(t, { DOCKSEAL_UPLOAD_MEMORY_BYTES: String(3 * 1024 * 1024) });
  const file = join(stack.directory, "clip.bin");
  await writeFile(file, "a short clip");
  const before = await traces.kept();
  const running: RawUpload[] = [];
  for (let number = 1; number <= 3; number += 1) {
    const upload = await RawUpload.open(stack.url);
    await upload.begin(stack.party.token, 10_000_000);
    await upload.send(metadataPart + fileHead);
    await upload.send(randomBytes(100_000));
    running.push(upload);
  }
  // Each has an unfinished object once it has its share of the budget.
  await until("three uploads write", async () => (await traces.kept()).unfinished.length === 3);
  const refused = await sendClip(stack.url, stack.party.token, file, someMetadata);
  refusedWith(t, refused, 503, "no-budget", "a fourth upload");
  t.match(refused.headers, /^retry-after: 5\r?$/im, "a fourth upload: it says when to come again");
  await worksWithoutBytes(t, new TusStation(stack));
  for (const upload of running) upload.destroy();
  // What was begun and ended is swept once more by the worker, which does not run here.
  const swept = { ...before, intents: before.intents + 1 };
  await traces.nothingLeftSoon(t, swept, "the fourth upload and the three that ended");
  const after = await sendClip(stack.url, stack.party.token, file, someMetadata);
  t.equal(after.status, 201, "the budget is given back");
});

t.test("a station with as many uploads as it may have does not shut out the others", async (t) => {
  const { stack, traces } = await someStack(t, { DOCKSEAL_STATION_UPLOADS: "2" });
  const file = join(stack.directory, "clip.bin");
  await writeFile(file, "a short clip");
  const administrator = await Caller.person(stack, "administrator");
  const made = await administrator.call("POST", "/api/v1/stations", { number: "2", name: "第二采集站" });
  const other = made.json<{ token: string }>().token;
  const running: RawUpload[] = [];
  for (let number = 1; number <= 2; number += 1) {
    const upload = await RawUpload.open(stack.url);
    await upload.begin(stack.party.token, 10_000_000);
    await upload.send(metadataPart + fileHead);
    await upload.send(randomBytes(100_000));
    running.push(upload);
  }
  await until("two uploads write", async () => (await traces.kept()).unfinished.length === 2);
  const refused = await sendClip(stack.url, stack.party.token, file, someMetadata);
  refusedWith(t, refused, 429, "too-many-uploads", "a third upload");
  t.match(refused.headers, /^retry-after: 5\r?$/im, "it says when to come again");
  const station = new TusStation(stack);
  await worksWithoutBytes(t, station);
  const path = await station.begun(12);
  refusedWith(t, await station.patch(path, 0, file), 429, "too-many-uploads", "the bytes of a resumable upload");
  const withBytes = ["upload-length: 12", `upload-metadata: metadata ${uploadMetadata()}`];
  const type = "content-type: application/offset+octet-stream";
  const both = await station.call("POST", "/api/v1/uploads", [...withBytes, type], "--data-binary", `@${file}`);
  refusedWith(t, both, 429, "too-many-uploads", "a creation with bytes");
  t.equal(await uploads(stack), 2, "what waits outside is not counted");
  t.equal((await sendClip(stack.url, other, file, someMetadata)).status, 201, "another station is served");
  for (const upload of running) upload.destroy();
  await until("both are over", async () => (await uploads(stack)) === 0);
  const after = await sendClip(stack.url, stack.party.token, file, { ...someMetadata, recorderSerial: "REC-2" });
  t.equal(after.status, 201, "its places are given back");
});

t.test("a server that stops takes no more uploads and ends those that run, and leaves nothing", async (t) => {
  const { stack, traces } = await someStack(t, { DOCKSEAL_SHUTDOWN_SECONDS: "15" });
  const file = join(stack.directory, "clip.bin");
  await writeFile(file, "a short clip");
  const before = await traces.kept();
  const slow = await RawUpload.open(stack.url);
  await slow.begin(stack.party.token, 10_000_000);
  await slow.send(metadataPart + fileHead);
  await slow.send(randomBytes(100_000));
  await until("an upload writes", async () => (await traces.kept()).unfinished.length === 1);
  process.kill(stack.serve.pid, "SIGTERM");
  await until("the server stops", async () => (await curl(`${stack.url}/readyz`)).status === 503);
  t.match((await curl(`${stack.url}/readyz`)).json(), { ready: false, database: { ok: true } }, "it is not ready");
  const late = await sendClip(stack.url, stack.party.token, file, someMetadata);
  refusedWith(t, late, 503, "shutting-down", "an upload that comes then");
  t.match(late.headers, /^retry-after: 10\r?$/im, "it says when to come again");
  const ended = await slow.answer();
  t.ok(ended, "the upload that ran is told");
  if (ended !== undefined) refusedWith(t, ended, 503, "shutting-down", "the upload that ran");
  slow.destroy();
  await stack.serve.stop();
  await traces.nothingLeft(t, before, "a stop in the middle of an upload");
  t.match(await stack.serve.log(), /"msg":"stopped"/, "the process ended cleanly");
});
