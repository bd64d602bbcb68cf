import { createHash, randomBytes } from "node:crypto";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { curl, sendClip, sendRaw, someMetadata } from "../support/curl.ts";
import { RawUpload, refusedWith, Traces } from "../support/refusals.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

t.test("a bare body is taken like a form, refused like a form, and leaves as little behind", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres" });
  const { url, party } = stack;
  const file = join(stack.directory, "clip.bin");
  const bytes = randomBytes(3_000_000);
  await writeFile(file, bytes);
  const traces = await Traces.of(t, stack);
  const sha256 = createHash("sha256").update(bytes).digest();
  /** 3 MB of 5. */
  const begun = async ({ url, party }: Pick<Stack, "url" | "party">) => {
    const upload = await RawUpload.open(url);
    const metadata = Buffer.from(JSON.stringify(someMetadata)).toString("base64");
    await upload.send(
      `PUT /api/v1/clips/raw HTTP/1.1\r\nhost: dockseal\r\nauthorization: Bearer ${party.token}\r\ncontent-type: application/octet-stream\r\ndockseal-metadata: ${metadata}\r\ncontent-length: 5000000\r\n\r\n`,
    );
    await upload.send(bytes);
    return upload;
  };

  await t.test("what is wrong is named, and nothing is left", async (t) => {
    const before = await traces.kept();
    const put = (...more: string[]) =>
      curl("-H", `authorization: Bearer ${party.token}`, "-T", file, ...more, `${url}/api/v1/clips/raw`);
    const octets = ["-H", "content-type: application/octet-stream"];
    const header = (text: string | Buffer) => [
      ...octets,
      "-H",
      `dockseal-metadata: ${Buffer.from(text).toString("base64")}`,
    ];
    const json = JSON.stringify(someMetadata);
    refusedWith(t, await put(...octets), 400, "metadata-missing", "no header");
    refusedWith(t, await put(...octets, "-H", "dockseal-metadata: {}"), 400, "malformed-request", "no base64");
    refusedWith(t, await put(...header(Buffer.of(0x22, 0xff, 0x22))), 400, "malformed-request", "no UTF-8");
    refusedWith(t, await put(...header("{")), 400, "malformed-request", "no JSON");
    refusedWith(t, await put(...header(json.replace("fileName", "filename"))), 400, "malformed-field", "no file name");
    refusedWith(
      t,
      await put(...header(JSON.stringify({ ...someMetadata, more: 1 }))),
      400,
      "unknown-field",
      "a field that is not known",
    );
    refusedWith(
      t,
      await put(...header(JSON.stringify({ ...someMetadata, sizeBytes: 5 }))),
      422,
      "length-differs",
      "another length in the metadata",
    );
    const digest = { sha256: "0".repeat(64) };
    refusedWith(
      t,
      await put(...header(JSON.stringify({ ...someMetadata, digest }))),
      422,
      "digest-differs",
      "another digest in the metadata",
    );
    refusedWith(
      t,
      await put("-H", "content-type: video/mp4", "-H", `dockseal-metadata: ${Buffer.from(json).toString("base64")}`),
      415,
      "unsupported-media-type",
      "another media type",
    );
    const empty = join(stack.directory, "empty");
    await (await open(empty, "w")).close();
    refusedWith(t, await sendRaw(url, party.token, empty, someMetadata), 422, "empty-file", "an empty file");
    await traces.nothingLeft(t, before, "after all refusals");
  });

  await t.test("a connection that ends in the middle leaves nothing", async (t) => {
    const before = await traces.kept();
    const upload = await begun(stack);
    // Not before it is written: else there is nothing to leave.
    await until("the upload is written", async () => (await traces.kept()).unfinished.length === 1);
    upload.destroy();
    await upload.ended;
    await traces.nothingLeftSoon(t, before, "a cut connection");
  });

  await t.test("its length is the request's, its digest is compared", async (t) => {
    const reprDigest = `repr-digest: sha-256=:${sha256.toString("base64")}:`;
    const answer = await sendRaw(url, party.token, file, someMetadata, "-H", reprDigest);
    t.equal(answer.status, 201, answer.body);
    t.match(answer.json(), { sizeBytes: bytes.length, sha256: sha256.toString("hex"), state: "received" });
    const again = await sendClip(url, party.token, file, someMetadata);
    t.equal(again.status, 200, "the same bytes in a form are the same clip");
    t.equal(again.json<{ id: string }>().id, answer.json<{ id: string }>().id);
  });

  await t.test("without a length it goes as well", async (t) => {
    await writeFile(file, Buffer.concat([bytes, Buffer.of(1)]));
    const answer = await sendRaw(url, party.token, file, someMetadata, "-H", "transfer-encoding: chunked");
    t.equal(answer.status, 201, answer.body);
    t.equal(answer.json<{ sizeBytes: number }>().sizeBytes, bytes.length + 1);
  });

  await t.test("one that stalls, and whose sender goes away then, does not keep the server from ending", async (t) => {
    const variables = { DOCKSEAL_UPLOAD_STALL_SECONDS: "2" };
    const impatient = await startStack(t, { store: "filesystem", queue: "postgres", withoutWorker: true, variables });
    const upload = await begun(impatient);
    t.equal((await upload.answer())?.status, 408);
    upload.destroy();
    await impatient.serve.stop();
    t.notOk(impatient.serve.runs, "it ended at the first signal");
  });
});
