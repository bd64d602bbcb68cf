import { execFile } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import t, { type Test } from "tap";
import { Upload } from "tus-js-client";
import { someMetadata } from "../support/curl.ts";
import { verifyEverything } from "../support/fault.ts";
import { freePort } from "../support/port.ts";
import { header } from "../support/refusals.ts";
import { Process, type Stack, startStack } from "../support/stack.ts";
import { cutPatch, TusStation } from "../support/tus.ts";
import { until } from "../support/until.ts";

const run = promisify(execFile);
const MiB = 1024 * 1024;
/** 2048 for the whole form: docs/testing.md. */
const sizeBytes = Number(process.env["DOCKSEAL_TEST_TUS_MIB"] ?? 48) * MiB + 12_345;
const CUTS = 5;

const stack = await startStack(t, { store: "s3", queue: "postgres", variables: { DOCKSEAL_RECONCILE_SECONDS: "1" } });
const second = await secondApi(stack);
const directory = await mkdtemp(join(tmpdir(), "dockseal-tus-"));
t.teardown(() => rm(directory, { recursive: true, force: true }));

/** A second API process on the same database and store. */
async function secondApi(stack: Stack): Promise<{ api: Process; url: string }> {
  const port = await freePort();
  const api = new Process("serve", { ...stack.environment, DOCKSEAL_PORT: String(port) }, stack.directory);
  t.teardown(() => api.stop());
  await api.start();
  return { api, url: `http://127.0.0.1:${port}` };
}

async function newFile(name: string): Promise<{ path: string; sha256: string }> {
  const path = join(directory, name);
  const handle = await open(path, "w");
  const block = randomBytes(MiB);
  for (let at = 0; at < sizeBytes; at += block.length) {
    block.writeDoubleLE(at, 0);
    await handle.write(block, 0, Math.min(block.length, sizeBytes - at));
  }
  await handle.close();
  const { stdout } = await run("sha256sum", [path]);
  return { path, sha256: stdout.slice(0, 64) };
}

/** Five bytes of the file, in order, at which something happens. */
function moments(): number[] {
  return Array.from({ length: CUTS }, () => randomInt(1, sizeBytes)).sort((a, b) => a - b);
}

async function isStored(t: Test, clipId: string, sha256: string): Promise<void> {
  const clip = () => stack.db.selectFrom("clip").selectAll().where("id", "=", clipId).executeTakeFirstOrThrow();
  await until("it is sealed", async () => (await clip()).state === "sealed", { seconds: 240, everyMs: 200 });
  t.equal((await clip()).sha256, sha256, "the sealed object's SHA-256 is what sha256sum says of the file");
  t.equal((await clip()).sizeBytes, sizeBytes);
}

/** A line between a client and the APIs, which is cut when so many bytes went through it, and which then leads elsewhere. */
class Line {
  readonly #cuts: number[];
  readonly #onCut: (cut: number) => Promise<void>;
  readonly #sockets = new Set<Socket>();
  target: number;
  passed = 0;
  done = 0;
  readonly server = createServer((client) => this.#through(client));

  constructor(target: number, cuts: number[], onCut: (cut: number) => Promise<void>) {
    this.target = target;
    this.#cuts = cuts;
    this.#onCut = onCut;
  }

  /** Ends the line with whatever still hangs on it. */
  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
  }

  #through(client: Socket): void {
    const api = connect(this.target, "127.0.0.1");
    for (const [from, to] of [
      [client, api],
      [api, client],
    ] as const) {
      this.#sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
    api.pipe(client);
    client.on("data", (chunk) => {
      this.passed += chunk.length;
      const next = this.#cuts[this.done];
      if (next !== undefined && this.passed >= next) {
        const cut = this.done++;
        client.pause();
        void this.#onCut(cut).then(() => {
          for (const socket of this.#sockets) socket.destroy();
          this.#sockets.clear();
        });
        return;
      }
      if (!api.write(chunk)) {
        client.pause();
        api.once("drain", () => client.resume());
      }
    });
  }
}

t.test("tus-js-client comes through five cuts, a kill -9 and a change of the API process", async (t) => {
  const file = await newFile("tus-js-client");
  const port = Number(new URL(stack.url).port);
  const line = new Line(port, moments(), async (cut) => {
    if (cut === 1) await stack.serve.kill9();
    if (cut === 1) line.target = Number(new URL(second.url).port);
    if (cut === 3) {
      await stack.serve.start();
      line.target = port;
    }
  });
  await new Promise<void>((resolve) => line.server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => line.close());
  const address = line.server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  let clipId: string | undefined;
  await new Promise<void>((resolve, reject) => {
    const upload = new Upload(createReadStream(file.path), {
      endpoint: `http://127.0.0.1:${address.port}/api/v1/uploads`,
      chunkSize: 16 * MiB,
      uploadSize: sizeBytes,
      retryDelays: [100, 300, 1000, 2000, 3000, 3000, 3000],
      headers: { authorization: `Bearer ${stack.party.token}` },
      metadata: { metadata: JSON.stringify({ ...someMetadata, fileName: "tus-js-client.bin" }) },
      onAfterResponse: (_request, response) => {
        clipId = response.getHeader("dockseal-clip") ?? clipId;
      },
      onError: reject,
      onSuccess: () => resolve(),
    });
    upload.start();
  });
  t.equal(line.done, CUTS, "it was cut five times");
  t.ok(line.passed < 2 * sizeBytes, `${line.passed} bytes were sent for ${sizeBytes}: no start from anew`);
  t.comment(`${line.passed} bytes were sent for a file of ${sizeBytes}`);
  await isStored(t, clipId ?? "", file.sha256);
});

t.test("curl by hand does the same", async (t) => {
  const file = await newFile("curl");
  const here = new TusStation(stack);
  const there = new TusStation(stack, stack.party, second.url);
  const path = await here.begun(sizeBytes, { fileName: "curl.bin" });
  let station = here;
  for (const [cut, moment] of moments().entries()) {
    const at = await station.offset(path);
    if (moment > at) await cutPatch(station, path, file.path, at, moment - at);
    if (cut === 1) await stack.serve.kill9();
    if (cut === 3) await stack.serve.start();
    station = cut >= 1 && cut < 3 ? there : here;
  }
  let clipId: string | undefined;
  const rest = join(directory, "rest");
  await until(
    "the rest is taken",
    async () => {
      const at = await station.offset(path);
      await run("sh", ["-c", 'tail -c +"$2" "$1" > "$3"', "sh", file.path, String(at + 1), rest]);
      const headers = [`upload-offset: ${at}`, "content-type: application/offset+octet-stream", "expect:"];
      // Not `--data-binary`: curl holds that in memory, and refuses 2 GB of it.
      const answer = await station.call("PATCH", path, headers, "-T", rest);
      clipId = header(answer, "dockseal-clip");
      return answer.status === 204;
    },
    { seconds: 300, everyMs: 500 },
  );
  await isStored(t, clipId ?? "", file.sha256);
});

t.test("at the end everything verifies, and nothing is left over", async (t) => {
  const { differences, figures } = await verifyEverything(stack, [], { seconds: 300 });
  t.same(differences, []);
  t.equal(figures.clips, 2);
});
