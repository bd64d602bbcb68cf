import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { sql } from "kysely";
import t from "tap";
import { openStore } from "#store";
import { answerTus, type TusAnswer } from "../../src/http/routes/uploads/tus-protocol.ts";
import { IncomingBytes } from "../../src/ingest/incoming-bytes.ts";
import { Caller } from "../support/api.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { verifyEverything } from "../support/fault.ts";
import { freePort } from "../support/port.ts";
import { header, refusedWith, Traces } from "../support/refusals.ts";
import { Process, startStack } from "../support/stack.ts";
import { cutPatch, TusStation, uploadMetadata } from "../support/tus.ts";
import { until } from "../support/until.ts";

const stack = await startStack(t, {
  store: "filesystem",
  queue: "postgres",
  variables: {
    DOCKSEAL_RECONCILE_SECONDS: "1",
    DOCKSEAL_MAX_CLIP_BYTES: "50000000",
  },
});
const station = new TusStation(stack);
const directory = await mkdtemp(join(tmpdir(), "dockseal-tus-"));
t.teardown(() => rm(directory, { recursive: true, force: true }));

async function newFile(sizeBytes: number): Promise<{ path: string; bytes: Buffer; sha256: string }> {
  const bytes = randomBytes(sizeBytes);
  const path = join(directory, bytes.subarray(0, 8).toString("hex"));
  await writeFile(path, bytes);
  return { path, bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
}

const checksum = (bytes: Buffer) => `upload-checksum: sha256 ${createHash("sha256").update(bytes).digest("base64")}`;

t.test("OPTIONS says what the server knows of tus", async (t) => {
  const answer = await station.call("OPTIONS", "/api/v1/uploads");
  t.equal(answer.status, 204);
  t.equal(header(answer, "tus-version"), "1.0.0");
  t.equal(header(answer, "tus-extension"), "creation,creation-with-upload,expiration,checksum,termination");
  t.equal(header(answer, "tus-checksum-algorithm"), "sha256");
  t.equal(header(answer, "tus-max-size"), "50000000");
  t.notMatch(answer.headers, /access-control/i, "nothing for pages of other origins");
});

t.test("an upload in pieces becomes the clip that one form would be, and a second one finds it", async (t) => {
  const file = await newFile(700_000);
  const [head, rest] = [join(directory, "head"), join(directory, "rest")];
  await writeFile(head, file.bytes.subarray(0, 300_001));
  await writeFile(rest, file.bytes.subarray(300_001));
  const metadata = { digest: { sha256: file.sha256 } };
  const begun = await station.begin(file.bytes.length, metadata);
  t.equal(begun.status, 201);
  t.ok(Date.parse(header(begun, "upload-expires") ?? "") > Date.now(), "it says when it expires");
  const path = header(begun, "location") ?? "";
  t.match(path, /^\/api\/v1\/uploads\/[0-9a-f-]{36}$/);
  t.equal(await station.offset(path), 0);
  refusedWith(t, await station.complete(path), 409, "upload-incomplete", "completing before the last byte");
  const first = await station.patch(path, 0, head);
  t.match([first.status, header(first, "upload-offset")], [204, "300001"]);
  const between = await station.head(path);
  t.match(
    [between.status, header(between, "upload-offset"), header(between, "upload-length")],
    [200, "300001", "700000"],
  );
  t.equal(header(between, "cache-control"), "no-store");
  t.equal(header(between, "dockseal-clip"), undefined, "no clip yet");
  refusedWith(t, await station.patch(path, 0, head), 409, "upload-offset-differs", "a piece from elsewhere");
  const last = await station.patch(path, 300_001, rest);
  t.match([last.status, header(last, "upload-offset")], [204, "700000"]);
  const clipId = header(last, "dockseal-clip");
  t.equal(header(await station.head(path), "dockseal-clip"), clipId, "HEAD names the clip as well");
  const clip = await station.complete(path);
  t.equal(clip.status, 201);
  t.match(clip.json(), { id: clipId, sha256: file.sha256, sizeBytes: 700_000, stationId: stack.party.stationId });
  t.equal((await station.complete(path)).status, 201, "asked again: the same");
  refusedWith(t, await station.call("DELETE", path), 400, "malformed-request", "ending what is evidence");

  const again = await station.begun(file.bytes.length, metadata);
  const answer = await station.patch(again, 0, file.path);
  t.match([answer.status, header(answer, "dockseal-clip")], [204, clipId], "the same bytes of the same recorder");
  t.equal((await station.complete(again)).status, 200);
  const form = await sendClip(stack.url, station.token, file.path, { ...someMetadata, ...metadata });
  t.match([form.status, form.json<{ id: string }>().id], [200, clipId], "and a form finds it too");
});

t.test("creation with bytes, and a single byte", async (t) => {
  const file = await newFile(1);
  const answer = await station.call(
    "POST",
    "/api/v1/uploads",
    [
      "upload-length: 1",
      `upload-metadata: metadata ${uploadMetadata()}`,
      "content-type: application/offset+octet-stream",
    ],
    "--data-binary",
    `@${file.path}`,
  );
  t.match([answer.status, header(answer, "upload-offset")], [201, "1"], answer.body);
  t.match(header(answer, "dockseal-clip"), /^[0-9a-f-]{36}$/);
});

t.test("a piece with a checksum counts whole or not at all", async (t) => {
  const file = await newFile(9_000_000);
  const path = await station.begun(file.bytes.length);
  refusedWith(t, await station.patch(path, 0, file.path, checksum(Buffer.from("x"))), 460, "checksum-differs", "wrong");
  t.equal(await station.offset(path), 0);
  for (const bad of ["md5 1B2M2Y8AsgTpgAmY7PhCfg==", "sha256 short", "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk="]) {
    const answer = await station.patch(path, 0, file.path, `upload-checksum: ${bad}`);
    refusedWith(t, answer, 400, "malformed-request", `checksum ${bad}`);
  }
  t.equal(await station.offset(path), 0);
  const whole = await station.patch(path, 0, file.path, checksum(file.bytes));
  t.match([whole.status, header(whole, "upload-offset")], [204, "9000000"], whole.body);
  t.match((await station.complete(path)).json(), { sha256: file.sha256 });
});

t.test("a piece that breaks off is kept as far as it came", async (t) => {
  const file = await newFile(12_000_000);
  const path = await station.begun(file.bytes.length, { digest: { sha256: file.sha256 } });
  await cutPatch(station, path, file.path, 0, 9_000_000);
  await until("what came is acknowledged", async () => (await station.offset(path)) > 0);
  const offset = await station.offset(path);
  t.ok(offset > 0 && offset <= 9_000_000, `at ${offset}`);
  const rest = join(directory, "cut-rest");
  await until("the rest is taken", async () => {
    const at = await station.offset(path);
    await writeFile(rest, file.bytes.subarray(at));
    return (await station.patch(path, at, rest)).status === 204;
  });
  t.match((await station.complete(path)).json(), { sha256: file.sha256 });
});

t.test("requests that are not tus 1.0 are refused, and nothing comes of them", async (t) => {
  const path = await station.begun(10);
  const file = await newFile(20);
  const bare = new Caller(stack.url, [`authorization: Bearer ${station.token}`]);
  for (const call of [
    bare.call("POST", "/api/v1/uploads", undefined, "-H", "upload-length: 5"),
    bare.call("PATCH", path, undefined, "-H", "tus-resumable: 0.2.2"),
    bare.call("DELETE", path),
  ]) {
    const answer = await call;
    refusedWith(t, answer, 412, "tus-version-unsupported", "without the version");
    t.equal(header(answer, "tus-version"), "1.0.0");
  }
  const json = await station.call("PATCH", path, ["upload-offset: 0", "content-type: application/json"], "-d", "{}");
  refusedWith(t, json, 415, "unsupported-media-type", "a piece as JSON");
  t.equal(header(json, "tus-resumable"), "1.0.0", "errors say the version too");
  const octets = "content-type: application/offset+octet-stream";
  refusedWith(t, await station.call("PATCH", path, [octets]), 400, "malformed-request", "no offset");
  refusedWith(
    t,
    await station.call("PATCH", path, [octets, "upload-offset: -1"]),
    400,
    "malformed-request",
    "a bad offset",
  );
  refusedWith(t, await station.patch(path, 0, file.path), 413, "file-too-large", "more than was announced");
  const chunked = await station.patch(path, 0, file.path, "transfer-encoding: chunked");
  refusedWith(t, chunked, 413, "file-too-large", "more than was announced, without a length");
  t.equal(await station.offset(path), 0);

  refusedWith(t, await station.begin(0), 422, "empty-file", "no byte");
  refusedWith(t, await station.begin(50_000_001), 413, "file-too-large", "too large");
  refusedWith(t, await station.begin(5, { sizeBytes: 6 }), 422, "length-differs", "two lengths");
  refusedWith(t, await station.begin(5, { colour: "red" }), 400, "unknown-field", "unknown metadata");
  refusedWith(t, await station.begin(5, { capturedAt: 7 }), 400, "malformed-field", "bad metadata");
  const length = "upload-length: 5";
  const posted = (...headers: string[]) => station.call("POST", "/api/v1/uploads", headers);
  const good = `upload-metadata: metadata ${uploadMetadata()}`;
  refusedWith(t, await posted(length), 400, "metadata-missing", "no metadata");
  refusedWith(t, await posted(length, `${good},filename YQ==`), 400, "unknown-field", "an unknown key");
  refusedWith(t, await posted(length, "upload-metadata: metadata !"), 400, "malformed-request", "no base64");
  refusedWith(t, await posted(good), 400, "malformed-request", "no length");
  refusedWith(t, await posted(good, "upload-defer-length: 1"), 400, "malformed-request", "a length that comes later");
  refusedWith(t, await posted(good, length, "upload-concat: partial"), 400, "malformed-request", "concatenation");
});

t.test("an upload belongs to its station, and nothing can be read through it", async (t) => {
  const path = await station.begun(10);
  const other = new TusStation(stack, stack.otherParty);
  const file = await newFile(10);
  t.equal((await other.head(path)).status, 404);
  refusedWith(t, await other.patch(path, 0, file.path), 404, "not-found", "PATCH of another's");
  refusedWith(t, await other.call("DELETE", path), 404, "not-found", "DELETE of another's");
  refusedWith(t, await other.complete(path), 404, "not-found", "completion of another's");
  refusedWith(t, await station.call("GET", path), 404, "not-found", "GET");
  refusedWith(t, await other.begin(5), 403, "other-organization", "a recorder of another organization");
  t.equal(await station.offset(path), 0);
});

t.test("what was declared is compared with what arrived; what differs is over and kept nowhere", async (t) => {
  const traces = await Traces.of(t, stack);
  const before = (await traces.kept()).objects;
  const file = await newFile(1000);
  for (const digest of [{ sha256: "ab".repeat(32) }, { sm3: "ab".repeat(32) }]) {
    const path = await station.begun(1000, { digest });
    refusedWith(t, await station.patch(path, 0, file.path), 422, "digest-differs", JSON.stringify(digest));
    t.equal((await station.head(path)).status, 410, "over");
  }
  t.same((await traces.kept()).objects, before, "no object of it");
});

t.test("an upload that is ended, or that nobody continues, is gone: 410, and its bytes with it", async (t) => {
  const traces = await Traces.of(t, stack);
  const file = await newFile(6_000_000);
  const [ended, expired] = [await station.begun(9_000_000), await station.begun(9_000_000)];
  for (const path of [ended, expired]) {
    t.equal((await station.patch(path, 0, file.path)).status, 204);
  }
  t.equal((await station.call("DELETE", ended)).status, 204);
  const id = expired.split("/").at(-1) ?? "";
  const expiry = async () =>
    (await stack.db.selectFrom("upload").select("expiresAt").where("id", "=", id).executeTakeFirst())?.expiresAt;
  const soon = await expiry();
  t.equal((await station.patch(expired, 6_000_000, "/dev/null")).status, 204, "even an empty piece moves the expiry");
  t.ok(((await expiry()) ?? "") > (soon ?? ""), "it slides");
  await sql`UPDATE upload SET expires_at = clock_timestamp() - interval '1 second' WHERE id = ${id}`.execute(stack.db);
  for (const path of [ended, expired]) {
    t.equal((await station.head(path)).status, 410);
    refusedWith(t, await station.patch(path, 6_000_000, file.path), 410, "upload-gone", "PATCH");
    refusedWith(t, await station.complete(path), 410, "upload-gone", "completion");
  }
  const keys = [ended, expired].map((path) => path.split("/").at(-1) ?? "");
  await until(
    "the sweeper has removed them from the store",
    async () => !(await traces.kept()).unfinished.some((key) => keys.some((id) => key.includes(id))),
  );
  t.same(await stack.db.selectFrom("uploadPart").select("number").where("uploadId", "in", keys).execute(), []);
  await sql`UPDATE upload SET expires_at = clock_timestamp() - interval '1 second' WHERE state = 'gone'`.execute(
    stack.db,
  );
  await until("they are forgotten", async () => (await station.head(expired)).status === 404);
});

t.test("what a running upload has not sent yet is not promised to another, by any way in", async (t) => {
  const path = await station.begun(20);
  const id = path.split("/").at(-1) ?? "";
  // As one of another process, of more bytes than any disk has.
  await sql`UPDATE upload SET size_bytes = 1000000000000000 WHERE id = ${id}`.execute(stack.db);
  const traces = await Traces.of(t, stack);
  const before = await traces.kept();
  const file = await newFile(1000);
  refusedWith(t, await station.begin(1000), 507, "store-full", "another resumable upload");
  const form = () => sendClip(stack.url, station.token, file.path, { ...someMetadata, sizeBytes: 1000 });
  refusedWith(t, await form(), 507, "store-full", "a form");
  const { objects, unfinished } = await traces.kept();
  t.same({ objects, unfinished }, { objects: before.objects, unfinished: before.unfinished }, "nothing of them");
  await sql`UPDATE upload SET expires_at = clock_timestamp() - interval '1 second' WHERE id = ${id}`.execute(stack.db);
  t.equal((await form()).status, 201, "one that expired takes no space from others");
});

t.test("a living upload is left alone by the sweeper, however long its client is silent", async (t) => {
  const file = await newFile(5_000_000);
  const path = await station.begun(5_000_001);
  await station.patch(path, 0, file.path);
  await sql`UPDATE store_intent SET alive_at = alive_at - interval '1 day'`.execute(stack.db);
  const late = await station.begun(5);
  await station.call("DELETE", late);
  const lateId = late.split("/").at(-1);
  await sql`UPDATE store_intent SET alive_at = alive_at - interval '1 day', swept_at = swept_at - interval '1 day' WHERE object_key LIKE ${`%${lateId}`}`.execute(
    stack.db,
  );
  await until(
    "the sweeper came by",
    async () =>
      (await stack.db.selectFrom("storeIntent").select("objectKey").where("objectKey", "like", `%${lateId}`).execute())
        .length === 0,
  );
  t.equal(await station.offset(path), 5_000_000, "it still is where it was");
  t.equal((await station.call("DELETE", path)).status, 204);
});

t.test("a step of the server's clock ends no upload, and makes none a stalled one", async (t) => {
  const path = await station.begun(10);
  const store = await openStore(stack.environment["DOCKSEAL_STORE_URL"] ?? "");
  t.teardown(() => store.close());
  const limits = { maxBytes: 100, stallSeconds: 60, abandonedSeconds: 60, resumableSeconds: 60 };
  const { organizationId, stationId } = stack.party;
  const ask = (): Promise<TusAnswer> =>
    answerTus({
      deps: { db: stack.db, store, limits, onCleanUpError: (error) => t.fail(String(error)) },
      station: { type: "station", id: stationId, organizationId },
      ...{ traceId: "trace", method: "HEAD", url: path, headers: new Headers({ "tus-resumable": "1.0.0" }) },
      piece: { body: Readable.from([]), sizeBytes: 0, sha256: undefined, signal: new AbortController().signal },
      stop: new AbortController().signal,
    });
  const real = { Date, setInterval };
  let tick = (): void => undefined;
  t.teardown(() => Object.assign(globalThis, real));
  const tenDaysOn = class extends real.Date {
    constructor(...at: [] | [number | string]) {
      super(at[0] ?? tenDaysOn.now());
    }
    static override now(): number {
      return real.Date.now() + 10 * 86_400_000;
    }
  };
  const bytes = new IncomingBytes(
    (async function* (): AsyncGenerator<Buffer> {
      Object.assign(globalThis, { Date: tenDaysOn });
      tick();
      yield Buffer.from("late");
    })(),
    limits,
    { digests: undefined, stop: (reason) => t.fail(reason.message) },
  );
  const byHand = (callback: () => void): undefined => {
    tick = callback;
  };
  Object.assign(globalThis, { setInterval: byHand });
  for await (const chunk of bytes) t.equal(chunk.toString(), "late");
  Object.assign(globalThis, { setInterval: real.setInterval });
  t.ok(Date.now() > real.Date.now() + 86_400_000, "the clock has stepped");
  const answer = await ask();
  t.match([answer.status, answer.headers.get("upload-offset")], [200, "0"], "the upload goes on");
  Object.assign(globalThis, real);
  t.equal((await station.call("DELETE", path)).status, 204);
});

t.test("a client that stands still is told so, what it sent is kept, and the next one goes on", async (t) => {
  const file = await newFile(300_000);
  const path = await station.begun(400_000);
  const port = String(await freePort());
  const variables = { ...stack.environment, DOCKSEAL_PORT: port, DOCKSEAL_UPLOAD_STALL_SECONDS: "2" };
  const impatient = new Process("serve", variables, stack.directory);
  t.teardown(() => impatient.stop());
  await impatient.start();
  const there = new TusStation(stack, stack.party, `http://127.0.0.1:${port}`);
  const stalled = await there.patch(path, 0, file.path, "content-length: 400000");
  refusedWith(t, stalled, 408, "upload-stalled", "a piece that is shorter than announced");
  t.equal(await station.offset(path), 300_000);
  t.equal((await station.call("DELETE", path)).status, 204);
});

t.test("at the end everything verifies, and nothing is left of what was refused", async (t) => {
  const uploads = await stack.db.selectFrom("upload").select("id").where("state", "=", "receiving").execute();
  for (const { id } of uploads) await station.call("DELETE", `/api/v1/uploads/${id}`);
  const { differences } = await verifyEverything(stack, []);
  t.same(differences, []);
});
