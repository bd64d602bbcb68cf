import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Test } from "tap";
import { inTransaction } from "#db";
import { createStation, revokeStationTokens } from "#identity";
import type { ProblemCode } from "#kernel";
import { curl, sendClip, someMetadata } from "../support/curl.ts";
import { boundary, formBody, formType, header, type Part, refusedWith, Traces } from "../support/refusals.ts";
import { type StackOptions, startStack } from "../support/stack.ts";

const limit = 200_000;

/** Every refusal of an upload that is decided by what was sent: each leaves nothing, on any store. */
export async function ingestRefusals(t: Test, options: StackOptions): Promise<void> {
  t.setTimeout(240_000);
  const stack = await startStack(t, {
    ...options,
    withoutWorker: true,
    variables: { DOCKSEAL_MAX_CLIP_BYTES: String(limit) },
  });
  const { url, party, directory } = stack;
  const traces = await Traces.of(t, stack);
  const bytes = randomBytes(50_000);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const sm3 = createHash("sm3").update(bytes).digest("hex");
  const wrong = "0".repeat(64);
  const file = join(directory, "clip.bin");
  await writeFile(file, bytes);
  const empty = join(directory, "empty.bin");
  await writeFile(empty, "");
  const auth = `authorization: Bearer ${party.token}`;
  const endpoint = `${url}/api/v1/clips`;
  const metadataField = `metadata=${JSON.stringify(someMetadata)}`;

  /** Sends a body as it is. */
  const raw = async (body: Buffer, ...more: string[]) => {
    const path = join(directory, "body.bin");
    await writeFile(path, body);
    return curl("-H", auth, "-H", formType, "--data-binary", `@${path}`, ...more, endpoint);
  };
  const form = (parts: readonly Part[], end?: string) => raw(formBody(parts, end));
  const metadataPart: Part = { name: "metadata", content: JSON.stringify(someMetadata) };
  const filePart: Part = { name: "file", fileName: "clip.bin", type: "application/octet-stream", content: bytes };
  const send = (metadata: Record<string, unknown>, ...more: string[]) =>
    sendClip(url, party.token, file, { ...someMetadata, ...metadata }, ...more);
  const repr = (hex: string) => `repr-digest: sha-256=:${Buffer.from(hex, "hex").toString("base64")}:`;

  const revoked = await inTransaction(stack.db, async (tx) => {
    const made = await createStation(tx, { organizationId: party.organizationId, number: "revoked", name: "旧站" });
    await revokeStationTokens(tx, made.station.id);
    return made.token;
  });
  const session = await curl(
    ...["-H", "content-type: application/json", "-d"],
    JSON.stringify({ name: party.people.administrator.name, password: party.people.administrator.password }),
    `${url}/api/v1/session`,
  );
  const cookie = header(session, "set-cookie")?.split(";")[0] ?? "";
  const csrf = session.json<{ csrfToken: string }>().csrfToken;
  const asNobody = (...more: string[]) => curl("-F", metadataField, "-F", `file=@${file}`, ...more, endpoint);

  const cases: [what: string, send: () => ReturnType<typeof curl>, status: number, code: ProblemCode][] = [
    ["no token", () => asNobody(), 401, "authentication-required"],
    ["a wrong token", () => sendClip(url, "dst_wrong", file, someMetadata), 401, "token-unknown"],
    ["a revoked token", () => sendClip(url, revoked, file, someMetadata), 401, "token-unknown"],
    ["another scheme", () => asNobody("-H", "authorization: Basic YTpi"), 401, "token-unknown"],
    [
      "a person, even an administrator",
      () => asNobody("-H", `cookie: ${cookie}`, "-H", `x-csrf-token: ${csrf}`),
      403,
      "forbidden",
    ],

    ["file before metadata", () => form([filePart, metadataPart]), 400, "file-before-metadata"],
    ["no metadata", () => form([filePart]), 400, "file-before-metadata"],
    ["another field first", () => form([{ name: "note", content: "x" }, metadataPart]), 400, "metadata-missing"],
    ["no field at all", () => form([]), 400, "metadata-missing"],
    ["no file", () => form([metadataPart]), 400, "file-missing"],
    ["the file under another name", () => form([metadataPart, { ...filePart, name: "clip" }]), 400, "file-missing"],
    ["nothing but another field", () => form([{ name: "note", content: "x" }]), 400, "metadata-missing"],
    ["metadata twice", () => form([metadataPart, metadataPart, filePart]), 400, "file-missing"],
    ["metadata again after the file", () => form([metadataPart, filePart, metadataPart]), 400, "one-file-only"],
    ["two files", () => form([metadataPart, filePart, filePart]), 400, "one-file-only"],
    ["a trailing field", () => form([metadataPart, filePart, { name: "x", content: "1" }]), 400, "one-file-only"],
    [
      "many trailing fields",
      () => form([metadataPart, filePart, ...Array.from({ length: 20 }, () => ({ name: "x", content: "1" }))]),
      400,
      "one-file-only",
    ],

    ["metadata that is no JSON", () => form([{ ...metadataPart, content: "{" }, filePart]), 400, "malformed-request"],
    [
      "metadata that is no JSON and says it is",
      () => form([{ ...metadataPart, content: "{", type: "application/json" }, filePart]),
      400,
      "malformed-request",
    ],
    [
      "metadata that is no UTF-8",
      () => form([{ ...metadataPart, content: Buffer.from([0x7b, 0xbf, 0x7d]) }, filePart]),
      400,
      "malformed-request",
    ],
    [
      "metadata over 64 KiB",
      () => form([{ ...metadataPart, content: JSON.stringify({ note: "x".repeat(70_000) }) }, filePart]),
      413,
      "body-too-large",
    ],
    [
      "metadata over 64 KiB that calls itself JSON",
      () =>
        form([
          { ...metadataPart, type: "application/json", content: JSON.stringify({ note: "x".repeat(70_000) }) },
          filePart,
        ]),
      413,
      "body-too-large",
    ],

    ["an empty file", () => sendClip(url, party.token, empty, someMetadata), 422, "empty-file"],
    [
      "an empty file declared as such",
      () => sendClip(url, party.token, empty, { ...someMetadata, sizeBytes: 0 }),
      422,
      "empty-file",
    ],
    ["a file declared as empty", () => send({ sizeBytes: 0 }), 422, "empty-file"],
    [
      "an empty file declared as something",
      () => sendClip(url, party.token, empty, { ...someMetadata, sizeBytes: 5 }),
      422,
      "length-differs",
    ],
    ["more bytes than declared", () => send({ sizeBytes: bytes.length - 1 }), 422, "length-differs"],
    ["fewer bytes than declared", () => send({ sizeBytes: bytes.length + 1 }), 422, "length-differs"],
    ["another SHA-256 than declared", () => send({ digest: { sha256: wrong } }), 422, "digest-differs"],
    [
      "another SHA-256, with the true length",
      () => send({ sizeBytes: bytes.length, digest: { sha256: wrong } }),
      422,
      "digest-differs",
    ],
    ["another SM3 than declared", () => send({ digest: { sm3: wrong } }), 422, "digest-differs"],
    ["the true SHA-256 and another SM3", () => send({ digest: { sha256, sm3: wrong } }), 422, "digest-differs"],
    ["another Repr-Digest", () => send({}, "-H", repr(wrong)), 422, "digest-differs"],
    [
      "a Repr-Digest that contradicts the metadata",
      () => send({ digest: { sha256: wrong } }, "-H", repr(sha256)),
      422,
      "digest-differs",
    ],
    ["a Repr-Digest in hex", () => send({}, "-H", `repr-digest: sha-256=:${sha256}:`), 400, "malformed-request"],
    ["a Repr-Digest without SHA-256", () => send({}, "-H", "repr-digest: md5=:AAAA:"), 400, "malformed-request"],

    [
      "JSON instead of a form",
      () => curl("-H", auth, "-H", "content-type: application/json", "-d", "{}", endpoint),
      415,
      "unsupported-media-type",
    ],
    [
      "bare bytes instead of a form",
      () => curl("-H", auth, "-H", "content-type: application/octet-stream", "--data-binary", `@${file}`, endpoint),
      415,
      "unsupported-media-type",
    ],
    [
      "a form without a boundary",
      () => curl("-H", auth, "-H", "content-type: multipart/form-data", "--data-binary", `@${file}`, endpoint),
      400,
      "malformed-request",
    ],
    ["no body", () => curl("-H", auth, "-X", "POST", endpoint), 415, "unsupported-media-type"],
    ["bytes that are no form", () => raw(bytes), 400, "malformed-request"],
    [
      "a form that breaks off in the metadata",
      () => raw(formBody([metadataPart, filePart]).subarray(0, boundary.length + 80)),
      400,
      "malformed-request",
    ],
    [
      "a form that breaks off in the file",
      () => raw(formBody([metadataPart, filePart]).subarray(0, 30_000)),
      400,
      "malformed-request",
    ],
    ["a form without its end", () => form([metadataPart, filePart], ""), 400, "malformed-request"],
  ];
  for (const [what, attempt, status, code] of cases) {
    const before = await traces.kept();
    refusedWith(t, await attempt(), status, code, what);
    await traces.nothingLeft(t, before, what);
  }

  await t.test("too large, by Content-Length and by count: the limit is taken, one byte more is not", async (t) => {
    for (const chunked of [false, true]) {
      for (const declared of [false, true]) {
        for (const size of [limit - 1, limit, limit + 1, limit + 400_000]) {
          const what = `${size - limit} from the limit${chunked ? ", chunked" : ""}${declared ? ", declared" : ""}`;
          const body = randomBytes(size);
          const path = join(directory, "sized.bin");
          await writeFile(path, body);
          const before = await traces.kept();
          const answer = await sendClip(
            url,
            party.token,
            path,
            { ...someMetadata, ...(declared ? { sizeBytes: size } : {}) },
            ...(chunked ? ["-H", "transfer-encoding: chunked"] : []),
          );
          if (size > limit) {
            refusedWith(t, answer, 413, "file-too-large", what);
            await traces.nothingLeft(t, before, what);
          } else {
            t.equal(answer.status, 201, `${what}: taken`);
            t.match(answer.json(), { sizeBytes: size, sha256: createHash("sha256").update(body).digest("hex") }, what);
          }
        }
      }
    }
  });

  await t.test("forms that differ from curl's and are good", async (t) => {
    const forms: [string, readonly Part[]][] = [
      ["metadata that calls itself JSON", [{ ...metadataPart, type: "application/json" }, filePart]],
      ["metadata from a file", [{ ...metadataPart, fileName: "metadata.json", type: "application/json" }, filePart]],
      ["a file without a name and a type", [metadataPart, { name: "file", content: bytes }]],
    ];
    for (const [what, parts] of forms) t.match((await form(parts)).json(), { sizeBytes: bytes.length, sha256 }, what);
  });

  await t.test("a recorder of another organization", async (t) => {
    const mine = await send({ recorderSerial: "THEIRS-1", digest: { sha256, sm3 } }, "-H", repr(sha256));
    t.equal(mine.status, 201, "what agrees in length, SHA-256, SM3 and Repr-Digest is taken");
    const before = await traces.kept();
    const theirs = await sendClip(url, stack.otherParty.token, file, { ...someMetadata, recorderSerial: "THEIRS-1" });
    refusedWith(t, theirs, 403, "other-organization", "a recorder of another organization");
    await traces.nothingLeft(t, before, "a recorder of another organization");
  });

  const metrics = await curl(`${url}/metrics`);
  t.match(metrics.body, /dockseal_uploads_total\{outcome="digest-differs"\} 6\n/, "refusals are counted by their code");
  t.match(metrics.body, /dockseal_uploads_running 0\n/, "no upload is thought to run");
  t.notMatch(await stack.serve.log(), /left to the sweeper/, "every clean-up worked at once");
}
