import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { buffer } from "node:stream/consumers";
import t, { type Test } from "tap";
import { type EvidenceStore, openStore, type PutResult } from "#store";
import { digestOf, generated, newPart } from "../support/bytes.ts";
import { type Call, type Fault, refusal, StrictS3 } from "../support/strict-s3.ts";

const MiB = 1024 * 1024;
const LARGE = 40 * MiB + 3;
const never = new AbortController().signal;

/** A store on a strict server of its own, with time-outs short enough to wait for. */
async function setUp(t: Test): Promise<{ server: StrictS3; store: EvidenceStore }> {
  const server = new StrictS3();
  const url = await server.listen();
  t.teardown(() => server.close());
  // Short, for the faults that are a silence; long enough for a machine that does much else at the same time.
  const timeouts = { controlMs: 2000, stallMs: 2000, partMs: 3000, completeMs: 3000, cleanUpMs: 5000 };
  const store = await openStore(url, { timeouts });
  t.teardown(() => store.close());
  return { server, store };
}

/** Does the fault at the first `times` calls that it fits. */
function atFirst(times: number, fits: (call: Call) => boolean, fault: Fault): Fault {
  let left = times;
  return (call) => (left > 0 && fits(call) && left-- > 0 ? fault(call) : undefined);
}

const reset: Fault = ({ request, response }) => {
  request.once("data", () => response.destroy());
  return "handled";
};
const stall: Fault = () => "handled";
const single = () => ({ key: `clips/${randomUUID()}`, body: generated(LARGE), sizeBytes: LARGE, signal: never });
const inParts = () => ({ key: `clips/${randomUUID()}`, body: generated(LARGE), signal: never });
const nothing = { objects: [], uploads: [] };

async function isWhole(t: Test, store: EvidenceStore, written: PutResult): Promise<void> {
  t.equal(written.sizeBytes, LARGE);
  t.same(await digestOf(await store.get(written)), await digestOf(generated(LARGE)), "stored byte for byte");
}

t.test("without a fault both ways write whole objects on a strict server", async (t) => {
  const { server, store } = await setUp(t);
  const { sha256 } = await digestOf(generated(LARGE));
  await isWhole(t, store, await store.put({ ...single(), sha256 }));
  await isWhole(t, store, await store.put(inParts()));
  t.same(server.leftovers.uploads, []);
});

t.test("a store that checks the declared digest refuses other bytes: digest-differs, nothing kept", async (t) => {
  const { server, store } = await setUp(t);
  await t.rejects(store.put({ ...single(), sha256: "ab".repeat(32) }), { code: "digest-differs" });
  t.same(server.leftovers, nothing);
});

t.test("an early no to a streaming put ends it at once, with what the store said, nothing kept", async (t) => {
  for (const [status, s3Code, code] of [
    [403, "AccessDenied", "store-unavailable"],
    [507, "InsufficientStorage", "store-full"],
    [403, "QuotaExceeded", "store-full"],
    [503, "SlowDown", "store-unavailable"],
    [412, "PreconditionFailed", "object-exists"],
  ] as const) {
    const { server, store } = await setUp(t);
    server.fault = atFirst(
      1,
      ({ operation }) => operation === "put",
      () => refusal(status, s3Code),
    );
    await t.rejects(store.put(single()), { code }, `${status} ${s3Code}: ${code}`);
    t.same(server.leftovers, nothing);
  }
});

t.test("an early yes to a streaming put is no success", async (t) => {
  const { server, store } = await setUp(t);
  server.fault = atFirst(
    1,
    ({ operation }) => operation === "put",
    ({ request, response }) => {
      request.once("data", () => response.writeHead(200, { "x-amz-version-id": "made-up" }).end());
      return "handled";
    },
  );
  const request = single();
  let givenBytes = 0;
  async function* slow() {
    for await (const chunk of request.body) {
      givenBytes += chunk.length;
      yield chunk;
      if (givenBytes % (8 * MiB) < chunk.length) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  await t.rejects(store.put({ ...request, body: slow() }), { code: "store-unavailable" });
  t.ok(givenBytes < LARGE, "the rest of the source is not read");
  t.same(server.leftovers, nothing);
});

t.test("a connection that breaks or stands still in a streaming put fails it, nothing kept", async (t) => {
  for (const fault of [reset, stall]) {
    const { server, store } = await setUp(t);
    server.fault = atFirst(1, ({ operation }) => operation === "put", fault);
    await t.rejects(store.put(single()), { code: "store-unavailable" });
    t.same(server.leftovers, nothing);
  }
});

t.test("a streaming put whose answer is lost is a failure, and its version is removed", async (t) => {
  const { server, store } = await setUp(t);
  server.fault = atFirst(
    1,
    ({ operation }) => operation === "put",
    async ({ perform, response }): Promise<"handled"> => {
      await perform();
      response.destroy();
      return "handled";
    },
  );
  await t.rejects(store.put(single()), { code: "store-unavailable" });
  t.same(server.leftovers, nothing);
});

t.test("a stored object of another size than what was sent is never reported", async (t) => {
  for (const request of [single(), inParts()]) {
    const { server, store } = await setUp(t);
    server.fault = async ({ operation, key, perform }) => {
      if (operation !== "put" && operation !== "complete") return undefined;
      const answer = await perform();
      const [version] = server.objects.get(key) ?? [];
      if (version) version.bytes = version.bytes.subarray(0, -10);
      return answer;
    };
    await t.rejects(store.put(request), { code: "store-unavailable" });
    t.same(server.leftovers, nothing);
  }
});

t.test("a part that fails in passing is sent again while its bytes are held", async (t) => {
  for (const fault of [reset, stall, () => refusal(503, "SlowDown"), () => refusal(500, "InternalError")]) {
    const { server, store } = await setUp(t);
    server.fault = atFirst(2, ({ partNumber }) => partNumber === 2, fault);
    await isWhole(t, store, await store.put(inParts()));
    t.same(server.leftovers.uploads, []);
  }
});

t.test("a late no to one part fails the put, though later parts were stored, and the upload is aborted", async (t) => {
  for (const [status, s3Code, code] of [
    [403, "AccessDenied", "store-unavailable"],
    [507, "InsufficientStorage", "store-full"],
  ] as const) {
    const { server, store } = await setUp(t);
    server.fault = ({ partNumber }) => (partNumber === 2 ? refusal(status, s3Code) : undefined);
    await t.rejects(store.put(inParts()), { code });
    t.same(server.leftovers, nothing);
  }
});

t.test("a part that never gets through fails the put after its tries", async (t) => {
  const { server, store } = await setUp(t);
  server.fault = ({ partNumber, ...call }) => (partNumber === 1 ? reset({ partNumber, ...call }) : undefined);
  await t.rejects(store.put(inParts()), { code: "store-unavailable" });
  t.same(server.leftovers, nothing);
});

t.test(
  "a store that takes connections and answers nothing, as a full radosgw: each way in is told in time",
  async (t) => {
    const { server, store } = await setUp(t);
    const { resumable } = store;
    const key = `clips/${randomUUID()}`;
    const write = { key, writeId: await resumable.begin(key) };
    const first = { number: 1, etag: await resumable.writePart(write, newPart(1, Buffer.alloc(5 * MiB)), never) };
    server.calls.length = 0;
    server.fault = ({ operation }) => (["put", "part", "initiate"].includes(operation) ? "handled" : undefined);
    await t.rejects(store.put(single()), { code: "store-unavailable" }, "form and raw body");
    const second = resumable.writePart(write, newPart(2, Buffer.alloc(100)), never);
    await t.rejects(second, { code: "store-unavailable" }, "a resumable upload");
    await t.rejects(resumable.begin(`clips/${randomUUID()}`), { code: "store-unavailable" }, "its beginning");
    t.equal(server.calls.filter((operation) => operation === "part").length, 1, "one silence is enough");
    t.ok(await resumable.holds(write, [first]), "the part that was acknowledged is kept");
    server.fault = undefined;
    const last = { number: 2, etag: await resumable.writePart(write, newPart(2, Buffer.alloc(100)), never) };
    t.equal((await resumable.complete(write, [first, last], 5 * MiB + 100, never)).sizeBytes, 5 * MiB + 100);
    t.equal(server.leftovers.objects.length, 1, "nothing else is left");
  },
);

t.test("a garbled ETag of a part is found at completion, nothing kept", async (t) => {
  const { server, store } = await setUp(t);
  server.fault = async ({ partNumber, perform }) =>
    partNumber === 2 ? { ...(await perform()), headers: { etag: '"garbage"' } } : undefined;
  await t.rejects(store.put(inParts()), { code: "store-unavailable" });
  t.same(server.leftovers, nothing);
});

const isCompletion = ({ operation }: Call) => operation === "complete";

t.test("status 200 with an error document at completion is no success; trying again may be", async (t) => {
  const { server, store } = await setUp(t);
  const error = () => ({ ...refusal(200, "InternalError") });
  server.fault = atFirst(1, isCompletion, error);
  await isWhole(t, store, await store.put(inParts()));
  server.objects.clear();
  server.fault = ({ operation }) => (operation === "complete" ? error() : undefined);
  await t.rejects(store.put(inParts()), { code: "store-unavailable" });
  t.same(server.leftovers, nothing);
});

t.test(
  "NoSuchUpload, an error or no answer at completion, and the object is there: it is found, and whole",
  async (t) => {
    for (const fault of [() => refusal(404, "NoSuchUpload"), () => refusal(200, "InternalError"), stall]) {
      const { server, store } = await setUp(t);
      server.fault = atFirst(1, isCompletion, async (call) => {
        await call.perform();
        return fault(call);
      });
      await isWhole(t, store, await store.put(inParts()));
      t.equal([...server.objects.values()].flat().length, 1, "one version");
    }
  },
);

t.test("NoSuchUpload at completion, and the object is not there: failure, nothing kept", async (t) => {
  const { server, store } = await setUp(t);
  server.fault = ({ operation }) => {
    if (operation !== "complete") return undefined;
    server.uploads.clear();
    return refusal(404, "NoSuchUpload");
  };
  await t.rejects(store.put(inParts()), { code: "store-unavailable" });
  t.same(server.leftovers, nothing);
});

t.test("another's version under the key is neither taken for ours nor removed", async (t) => {
  const { server, store } = await setUp(t);
  const request = inParts();
  server.fault = atFirst(1, isCompletion, async () => {
    server.uploads.clear();
    server.fault = undefined;
    await store.put({ key: request.key, body: generated(LARGE, 1), sizeBytes: LARGE, signal: never });
    return refusal(404, "NoSuchUpload");
  });
  await t.rejects(store.put(request), { code: "store-unavailable" });
  t.equal(server.objects.get(request.key)?.length, 1, "the other's version stays");
});

t.test("a clean-up that fails too is told with the fault, not swallowed", async (t) => {
  const { server, store } = await setUp(t);
  server.fault = ({ operation, partNumber }) => {
    if (partNumber === 2) return refusal(403, "AccessDenied");
    return operation === "abort" ? refusal(500, "InternalError") : undefined;
  };
  const request = inParts();
  await t.rejects(store.put(request), { code: "store-unavailable", cause: AggregateError });
  server.fault = undefined;
  t.same(await store.discard(request.key), { versions: 0, uploads: 1, locked: 0 }, "discard finds what is left");
  t.same(server.leftovers, nothing);
});

t.test("an abort settles a put at once, even on a server that does not answer", async (t) => {
  for (const request of [single(), inParts()]) {
    const { server, store } = await setUp(t);
    server.fault = ({ operation }) => (operation === "put" || operation === "part" ? "handled" : undefined);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("hung up")), 100);
    await t.rejects(store.put({ ...request, signal: controller.signal }), { message: "hung up" });
    t.same(server.leftovers, nothing);
  }
});

t.test(
  "a get that ends early, breaks off or stands still is an error on the stream, never a short success",
  async (t) => {
    const { server, store } = await setUp(t);
    const written = await store.put(single());
    const half: (end: (call: Call) => void) => Fault = (end) => (call) => {
      if (call.operation !== "get") return undefined;
      const headers = { "content-length": String(LARGE), "x-amz-version-id": written.versionId };
      call.response.writeHead(200, headers).write(Buffer.alloc(MiB), () => end(call));
      return "handled";
    };
    for (const fault of [half(({ response }) => response.destroy()), half(() => undefined)]) {
      server.fault = fault;
      await t.rejects(buffer(await store.get(written)), { code: "store-unavailable" });
    }
    server.fault = ({ operation, response }) => {
      if (operation !== "get") return undefined;
      // No length: the end of the connection would look like the end of the object.
      response.writeHead(200, { connection: "close" }).end(Buffer.alloc(MiB));
      return "handled";
    };
    await t.rejects(store.get(written), { code: "store-unavailable" });
  },
);

t.test("a server that ignores the range or the version is found out", async (t) => {
  const { server, store } = await setUp(t);
  const written = await store.put(single());
  server.fault = async ({ operation, perform, request }) => {
    if (operation !== "get") return undefined;
    delete request.headers.range;
    return perform();
  };
  await t.rejects(store.get(written, { range: { start: 5, end: 9 } }), { code: "store-unavailable" });
  server.fault = async ({ operation, perform }) => {
    const answer = operation === "get" ? await perform() : undefined;
    return answer && { ...answer, headers: { ...answer.headers, "x-amz-version-id": "another" } };
  };
  await t.rejects(store.get(written), { code: "store-unavailable" });
});

t.test("destroying the stream of a get ends the transfer at the server", async (t) => {
  const { server, store } = await setUp(t);
  const written = await store.put(single());
  let upstream: Promise<unknown> | undefined;
  server.fault = ({ operation, response }) => {
    if (operation === "get") upstream = once(response, "close");
    return undefined;
  };
  const stream = await store.get(written);
  stream.destroy();
  await t.resolves(Promise.resolve(upstream));
});

t.test("a control call is tried again when it fails in passing, and ends when the server stays silent", async (t) => {
  const { server, store } = await setUp(t);
  const written = await store.put(single());
  for (const fault of [reset, () => refusal(503, "SlowDown"), stall]) {
    server.fault = atFirst(1, ({ operation }) => operation === "head", fault);
    t.equal((await store.stat(written))?.sizeBytes, LARGE);
  }
  server.fault = stall;
  await t.rejects(store.ping(), { code: "store-unavailable" });
});

t.test("a lock that the store accepts and does not keep is an error", async (t) => {
  const { server, store } = await setUp(t);
  const written = await store.put(single());
  server.fault = ({ operation, method }) =>
    operation === "retention" && method === "PUT" ? { status: 200 } : undefined;
  await t.rejects(store.lock(written, new Date(Date.now() + 60_000)), {
    code: "store-unavailable",
    message: /no retention/,
  });
});

t.test("a no that has another reason than a lock is not taken for one", async (t) => {
  const { server, store } = await setUp(t);
  const written = await store.put(single());
  server.fault = ({ operation }) => (operation === "delete" ? refusal(403, "AccessDenied") : undefined);
  await t.rejects(store.remove(written), { code: "store-unavailable" });
  await t.rejects(store.discard(written.key), { code: "store-unavailable" });
});

t.test("the probe says that a store which drops its locks is not write-once, and never guesses", async (t) => {
  const { server, store } = await setUp(t);
  t.match(await store.probeWorm(), { writeOnce: true });
  server.worm = false;
  const report = await store.probeWorm();
  t.match(report, { writeOnce: false, refusedRemoval: false, refusedOverwrite: false, refusedShortening: false });
  t.match(report.detail, /could be removed/);
  server.worm = true;
  server.fault = ({ operation }) => (operation === "delete" ? refusal(500, "InternalError") : undefined);
  t.match(await store.probeWorm(), { writeOnce: false, detail: /Not known/ }, "a fault is not a refusal");
});

t.test("a store that cannot hold evidence is refused when it is opened", async (t) => {
  const server = new StrictS3();
  const url = await server.listen();
  t.teardown(() => server.close());
  const open = () => openStore(url, { timeouts: { controlMs: 1000 } });
  const answers: [Fault, string, RegExp][] = [
    [() => refusal(404, "NoSuchBucket"), "configuration-invalid", /does not exist/],
    [() => refusal(403, "SignatureDoesNotMatch"), "configuration-invalid", /check access key/],
    [
      ({ request }) =>
        request.url?.includes("versioning") ? { status: 200, body: "<VersioningConfiguration/>" } : undefined,
      "configuration-invalid",
      /no versioning/,
    ],
    [
      ({ request }) =>
        request.url?.includes("object-lock") ? refusal(404, "ObjectLockConfigurationNotFoundError") : undefined,
      "configuration-invalid",
      /without Object Lock/,
    ],
    [stall, "store-unavailable", /no answer/],
  ];
  for (const [fault, code, message] of answers) {
    server.fault = fault;
    await t.rejects(open(), { code, message });
  }
});
