import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { curl } from "../support/curl.ts";
import { verifyEverything } from "../support/fault.ts";
import { header } from "../support/refusals.ts";
import { startStack } from "../support/stack.ts";
import { type Call, type Fault, refusal, StrictS3 } from "../support/strict-s3.ts";
import { TusStation } from "../support/tus.ts";
import { until } from "../support/until.ts";

/** Three parts of 8 MiB and a short one. */
const sizeBytes = 25_000_000;

const server = new StrictS3();
const storeUrl = await server.listen();
t.teardown(() => server.close());
const stack = await startStack(t, {
  store: "filesystem",
  queue: "postgres",
  variables: { DOCKSEAL_RECONCILE_SECONDS: "1", DOCKSEAL_STORE_URL: storeUrl },
});
const station = new TusStation(stack);
const quarantined: string[] = [];
const directory = await mkdtemp(join(tmpdir(), "dockseal-tus-"));
t.teardown(() => rm(directory, { recursive: true, force: true }));

async function newFile(): Promise<{ path: string; bytes: Buffer; sha256: string }> {
  const bytes = randomBytes(sizeBytes);
  const path = join(directory, bytes.subarray(0, 8).toString("hex"));
  await writeFile(path, bytes);
  return { path, bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** Does the fault once, at the call that it fits. */
function once(fits: (call: Call) => boolean, fault: Fault): Fault {
  let left = 1;
  return (call) => (left > 0 && fits(call) && left-- > 0 ? fault(call) : undefined);
}

const partIs = (number: number) => (call: Call) => call.operation === "part" && call.partNumber === number;

/** Goes on until the upload is whole, or is gone: then from anew, once. Never a wrong clip, whatever happens between. */
async function sendUntilWhole(t: Test, file: { path: string; bytes: Buffer; sha256: string }): Promise<void> {
  let path = await station.begun(sizeBytes);
  const rest = join(directory, "rest");
  await until(
    "the file is taken",
    async () => {
      const head = await station.head(path);
      if (head.status === 410) path = await station.begun(sizeBytes);
      if (head.status !== 200) return false;
      const at = Number(header(head, "upload-offset"));
      const clipId = header(head, "dockseal-clip");
      if (at === sizeBytes || clipId !== undefined) {
        t.ok(at === sizeBytes && clipId !== undefined, "whole exactly when there is a clip");
        return true;
      }
      await writeFile(rest, file.bytes.subarray(at));
      await station.patch(path, at, rest).catch((error: Error) => t.comment(error.message));
      return false;
    },
    { everyMs: 100 },
  );
  const clip = await station.complete(path);
  t.match([clip.status, clip.json<{ sha256: string }>().sha256], [201, file.sha256], "the clip is the file");
}

/** Sends most of a file. @returns how to send the rest of it. */
async function mostlySent(bytes: Buffer) {
  const at = 17_000_000;
  const path = await station.begun(sizeBytes);
  const name = join(directory, bytes.subarray(8, 16).toString("hex"));
  await writeFile(`${name}-most`, bytes.subarray(0, at));
  await writeFile(`${name}-rest`, bytes.subarray(at));
  if ((await station.patch(path, 0, `${name}-most`)).status !== 204) throw new Error("not taken");
  return { path, finish: () => station.patch(path, at, `${name}-rest`) };
}

/** From here on another process receives, which has to read back what the one before it has hashed. */
async function anotherProcess(): Promise<void> {
  await stack.serve.kill9();
  await stack.serve.start();
}

const reset: Fault = ({ request, response }) => {
  request.once("data", () => response.destroy());
  return "handled";
};
const lateRefusal: Fault = async ({ request }) => {
  for await (const _chunk of request);
  return refusal(403, "AccessDenied");
};
const wrongEtag: Fault = async (call) => ({
  ...(await call.perform()),
  headers: { etag: `"${"0".repeat(32)}"` },
});
const vanish: Fault = () => {
  server.uploads.clear();
  return undefined;
};
const otherBytes: Fault = async (call) => {
  const answer = await call.perform();
  for (const { parts } of server.uploads.values()) {
    const bytes = parts.get(call.partNumber)?.bytes;
    bytes?.writeUInt8(bytes.readUInt8(100) ^ 1, 100); // whatever it is: random bytes are 0 as well
  }
  return answer;
};

t.test(
  "a fault of the store at any part gives a whole clip or none, and never an offset that does not hold",
  async (t) => {
    const faults = { lateRefusal, reset, wrongEtag, vanish };
    for (const number of [1, 2, 3, 4]) {
      // Every fault in the middle; at the first, at a later and at the last part the one that a sum of sizes overlooks.
      for (const [name, fault] of Object.entries(number === 2 ? faults : { lateRefusal })) {
        await t.test(`${name} at part ${number}`, async (t) => {
          server.fault = once(partIs(number), fault);
          await sendUntilWhole(t, await newFile());
        });
      }
    }
    server.fault = undefined;
  },
);

t.test("a multipart upload that vanished is 410, at HEAD and at PATCH, and never whole", async (t) => {
  const file = await newFile();
  const most = join(directory, "most");
  await writeFile(most, file.bytes.subarray(0, 20_000_000));
  for (const ask of ["HEAD", "PATCH"]) {
    const path = await station.begun(sizeBytes);
    t.equal((await station.patch(path, 0, most)).status, 204);
    server.uploads.clear();
    const rest = join(directory, "vanished-rest");
    await writeFile(rest, file.bytes.subarray(20_000_000));
    const answer = ask === "HEAD" ? await station.head(path) : await station.patch(path, 20_000_000, rest);
    t.ok([410, 503].includes(answer.status), `${ask} ${answer.status}`);
    t.equal((await station.head(path)).status, 410);
    t.equal((await station.complete(path)).status, 410);
  }
});

t.test(
  "bytes that the store changes: no clip where they are read back now, quarantine where that comes later",
  async (t) => {
    server.fault = once(partIs(2), otherBytes);
    const { path: gone, finish } = await mostlySent((await newFile()).bytes);
    await anotherProcess();
    t.equal((await finish()).status, 410, "another process finds it: the upload is over");
    t.equal((await station.complete(gone)).status, 410);
    server.fault = once(partIs(2), otherBytes);
    const file = await newFile();
    const path = await station.begun(sizeBytes);
    t.equal((await station.patch(path, 0, file.path)).status, 204);
    server.fault = undefined;
    const { id, sha256 } = (await station.complete(path)).json<{ id: string; sha256: string }>();
    t.equal(sha256, file.sha256, "the clip is what was sent");
    const state = async () =>
      stack.db.selectFrom("clip").select("state").where("id", "=", id).executeTakeFirstOrThrow();
    await until("it is read back and put into quarantine", async () => (await state()).state === "quarantined");
    quarantined.push(id);
  },
);

t.test("killed at each step of the completion, the next request completes it", async (t) => {
  const steps: [string, Call["operation"], Fault][] = [
    ["before the store makes the object", "complete", killed(false)],
    ["after the store has made it", "complete", killed(true)],
    ["while it is read back", "get", killed(false)],
  ];
  for (const [name, operation, fault] of steps) {
    await t.test(name, async (t) => {
      const file = await newFile();
      const { path, finish } = await mostlySent(file.bytes);
      await anotherProcess();
      // Of this upload's object only: workers read those of earlier clips meanwhile.
      const key = path.split("/").at(-1) ?? path;
      server.fault = once((call) => call.operation === operation && call.key.endsWith(key), fault);
      await t.rejects(finish(), "the API died");
      await stack.serve.start();
      await until("HEAD completes it", async () => (await station.head(path)).status === 200, {
        everyMs: 200,
      });
      t.match((await station.complete(path)).json(), { sha256: file.sha256 });
    });
  }
  server.fault = undefined;
});

function killed(performed: boolean): Fault {
  return async (call): Promise<"handled"> => {
    if (performed) await call.perform();
    await stack.serve.kill9();
    return "handled";
  };
}

t.test("while large files are read back at their completion, two at once, other requests are answered", async (t) => {
  const begun = new Set<string>();
  const madeObject = new Set<string>();
  const release = Promise.withResolvers<void>();
  const files = await Promise.all([newFile(), newFile(), newFile()]);
  const sends = await Promise.all(files.map(({ bytes }) => mostlySent(bytes)));
  await anotherProcess();
  const keys = sends.map(({ path }) => path.split("/").at(-1) ?? path);
  server.fault = async (call) => {
    const key = keys.find((id) => call.key.endsWith(id));
    if (key === undefined) return undefined;
    // The last thing that is asked before an object is read back.
    if (call.operation === "list" || call.operation === "head") madeObject.add(key);
    if (call.operation !== "get" || begun.has(key)) return undefined;
    begun.add(key);
    // Half of the object is read and hashed, and the other half is still to come.
    const { status, headers, body } = await call.perform();
    const bytes = Buffer.from(body ?? "");
    call.response.writeHead(status, headers);
    call.response.write(bytes.subarray(0, sizeBytes / 2));
    await release.promise;
    call.response.end(bytes.subarray(sizeBytes / 2));
    return "handled";
  };
  const order: string[] = [];
  const completions = sends.map(async ({ finish }) => {
    const { status } = await finish();
    order.push("completion");
    return status;
  });
  await until("all objects are made, and two are being read", async () => begun.size >= 2 && madeObject.size === 3);
  t.equal((await curl(`${stack.url}/healthz`)).status, 200);
  order.push("another request");
  const beforeRelease = begun.size;
  release.resolve();
  t.same(await Promise.all(completions), [204, 204, 204]);
  server.fault = undefined;
  t.equal(beforeRelease, 2, "the third waits for its turn");
  t.same(order, ["another request", "completion", "completion", "completion"]);
  for (const [at, { path }] of sends.entries()) {
    t.match((await station.complete(path)).json(), { sha256: files[at]?.sha256 });
  }
});

t.test("of two requests that write one upload at once one writes, and the clip is whole", async (t) => {
  const file = await newFile();
  const path = await station.begun(sizeBytes);
  const answers = await Promise.all([1, 2, 3].map(() => station.patch(path, 0, file.path)));
  const statuses = answers.map((answer) => answer.status).sort();
  t.equal(statuses.filter((status) => status === 204).length, 1, `${statuses}`);
  t.ok(
    statuses.every((status) => [204, 409, 423].includes(status)),
    `${statuses}`,
  );
  t.match((await station.complete(path)).json(), { sha256: file.sha256 });
});

t.test("at the end everything verifies: no orphan object, upload or intent", async (t) => {
  const { differences } = await verifyEverything(stack, [], { seconds: 120, quarantined });
  t.same(differences, []);
  t.same(server.leftovers.uploads, []);
});
