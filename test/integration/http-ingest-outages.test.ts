import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { curl, sendClip, someMetadata } from "../support/curl.ts";
import { signIn } from "../support/people.ts";
import { testServer } from "../support/postgres.ts";
import { boundary, partHead, RawUpload, refusedWith, Traces } from "../support/refusals.ts";
import { newBucket, rgw } from "../support/rgw.ts";
import { startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const quickSweeps = { DOCKSEAL_UPLOAD_ABANDONED_SECONDS: "5", DOCKSEAL_RECONCILE_SECONDS: "1" };

/** A door to a server that can be shut in the face of those who speak through it. */
class Door {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  #shut = false;

  private constructor(server: Server, port: number, sockets: Set<Socket>) {
    this.#server = server;
    this.port = port;
    this.#sockets = sockets;
  }

  static async to(target: { host: string; port: number }): Promise<Door> {
    const sockets = new Set<Socket>();
    const server = createServer((near) => {
      if (door.#shut) {
        near.resetAndDestroy();
        return;
      }
      const far = connect(target);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from);
        from.pipe(to);
        from.on("error", () => to.destroy());
        from.on("close", () => {
          sockets.delete(from);
          to.destroy();
        });
      }
    });
    await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
    const address = server.address();
    const door = new Door(server, typeof address === "object" && address !== null ? address.port : 0, sockets);
    return door;
  }

  shut(): void {
    this.#shut = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  open(): void {
    this.#shut = false;
  }

  async close(): Promise<void> {
    this.shut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function slowUpload(url: string, token: string, metadata: Record<string, unknown> = someMetadata) {
  const upload = await RawUpload.open(url);
  const head = `${partHead({ name: "metadata" })}${JSON.stringify(metadata)}\r\n${partHead({ name: "file", fileName: "slow.bin" })}`;
  const body = Buffer.alloc(100_000, 5);
  const end = `\r\n--${boundary}--\r\n`;
  await upload.begin(token, head.length + 2 * body.length + end.length);
  await upload.send(head);
  await upload.send(body);
  return { upload, rest: Buffer.concat([body, Buffer.from(end)]) };
}

t.test("while the S3 store is away nothing is taken, and what was begun is swept when it is back", async (t) => {
  const server = await rgw(t);
  const door = await Door.to(server);
  t.teardown(() => door.close());
  const direct = server.url(newBucket());
  const through = new URL(direct);
  through.port = String(door.port);
  const variables = { ...quickSweeps, DOCKSEAL_STORE_URL: through.href };
  const stack = await startStack(t, { store: "s3", queue: "postgres", variables });
  const traces = await Traces.of(t, stack, direct);
  const file = join(stack.directory, "clip.bin");
  await writeFile(file, "a short clip");
  const before = await traces.kept();

  // Cut in the middle of a streaming PUT (the length is declared), of parts (it is not), and before either.
  const declared = await slowUpload(stack.url, stack.party.token, { ...someMetadata, sizeBytes: 200_000 });
  const undeclared = await slowUpload(stack.url, stack.party.token);
  await until("both uploads have begun", async () => (await traces.kept()).intents === 2);
  door.shut();
  for (const { upload, rest } of [declared, undeclared]) {
    await upload.send(rest);
    const answer = await upload.answer();
    t.ok(answer, "an upload in the middle is told");
    if (answer !== undefined) {
      refusedWith(t, answer, 503, "store-unavailable", "the store went away in the middle");
      t.match(answer.headers, /^retry-after: \d+\r?$/im, "it says when to come again");
    }
    upload.destroy();
  }
  const fresh = await sendClip(stack.url, stack.party.token, file, someMetadata);
  refusedWith(t, fresh, 503, "store-unavailable", "an upload that comes then");
  t.match(fresh.headers, /^retry-after: \d+\r?$/im, "it says when to come again");
  t.match((await curl(`${stack.url}/readyz`)).json(), { ready: false, store: { ok: false }, database: { ok: true } });
  t.equal((await curl(`${stack.url}/healthz`)).status, 200, "the process lives");

  door.open();
  await until("ready", async () => (await curl(`${stack.url}/readyz`)).status === 200);
  await traces.nothingLeftSoon(t, before, "after the sweeper came by");
  t.equal((await sendClip(stack.url, stack.party.token, file, someMetadata)).status, 201, "it takes clips again");
});

t.test("while the directory is away nothing is taken", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", variables: quickSweeps });
  const traces = await Traces.of(t, stack);
  const file = join(stack.directory, "clip.bin");
  await writeFile(file, "a short clip");
  const before = await traces.kept();
  const evidence = join(stack.directory, "evidence");
  await rename(evidence, `${evidence}.away`);
  await writeFile(evidence, "not a directory");
  const answer = await sendClip(stack.url, stack.party.token, file, someMetadata);
  refusedWith(t, answer, 503, "store-unavailable", "the directory is gone");
  t.match(answer.headers, /^retry-after: \d+\r?$/im, "it says when to come again");
  t.equal((await curl(`${stack.url}/readyz`)).status, 503, "it is not ready");
  await rm(evidence);
  await rename(`${evidence}.away`, evidence);
  await traces.nothingLeftSoon(t, before, "after the sweeper came by");
  t.equal((await sendClip(stack.url, stack.party.token, file, someMetadata)).status, 201, "it takes clips again");
});

/** A database server that goes away and comes back at the same port. */
async function mortalDatabase(t: Test) {
  const directory = await mkdtemp(join(tmpdir(), "dockseal-outage-"));
  let server = await testServer(t, directory);
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  await server.ensureDatabase("dockseal");
  return {
    url: server.url("dockseal"),
    stop: () => server.stop(),
    start: async () => {
      server = await testServer(t, directory);
    },
  };
}

t.test("while the database is away nothing is taken or told, and after it came back everything works", async (t) => {
  const database = await mortalDatabase(t);
  const stack = await startStack(t, {
    store: "filesystem",
    queue: "postgres",
    databaseUrl: database.url,
    variables: quickSweeps,
  });
  const { url, party } = stack;
  const traces = await Traces.of(t, stack);
  const file = join(stack.directory, "clip.bin");
  await writeFile(file, "a short clip");
  const handler = await signIn(stack, "handler");
  const before = await traces.kept();
  const { upload, rest } = await slowUpload(url, party.token);
  await until("an upload writes", async () => (await traces.kept()).unfinished.length === 1);

  await database.stop();
  await upload.send(rest);
  const told = await upload.answer();
  t.ok(told, "an upload in the middle is told");
  if (told !== undefined) refusedWith(t, told, 503, "database-unavailable", "the database went away in the middle");
  upload.destroy();
  const answers = [
    ["an upload", await sendClip(url, party.token, file, someMetadata)],
    ["a read by a person", await curl("-H", "cookie: dockseal_session=x", `${url}/api/v1/cases`)],
    [
      "a sign-in",
      await curl("-H", "content-type: application/json", "-d", '{"name":"a","password":"b"}', `${url}/api/v1/session`),
    ],
    ["the checkpoint", await curl(`${url}/log/checkpoint`)],
  ] as const;
  for (const [what, answer] of answers) {
    refusedWith(t, answer, 503, "database-unavailable", `${what} while the database is away`);
    t.match(answer.headers, /^retry-after: 5\r?$/im, `${what}: it says when to come again`);
  }
  t.match((await curl(`${url}/readyz`)).json(), { ready: false, database: { ok: false }, store: { ok: true } });
  const metrics = await curl(`${url}/metrics`);
  t.equal(metrics.status, 200, "the figures of the process are told");
  t.match(metrics.body, /^dockseal_database_up 0$/m, "and that the database is away");
  t.equal((await curl(`${url}/healthz`)).status, 200, "the process lives");

  await database.start();
  await until("ready", async () => (await curl(`${url}/readyz`)).status === 200);
  await traces.nothingLeftSoon(t, before, "after the sweeper came by");
  const sent = await sendClip(url, party.token, file, someMetadata);
  t.equal(sent.status, 201, "it takes clips again");
  const { id } = sent.json<{ id: string }>();
  await until("the worker seals", async () => {
    const { state } = await handler.get<{ state: string }>(`/api/v1/clips/${id}`);
    return state === "sealed";
  });
  t.pass("sessions hold, and the worker goes on by itself");
});
