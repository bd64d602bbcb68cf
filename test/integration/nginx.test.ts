import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import t from "tap";
import { Caller } from "../support/api.ts";
import { untilDone } from "../support/console.ts";
import { curl, sendClip, sendRaw, someMetadata } from "../support/curl.ts";
import { EventReader } from "../support/event-stream.ts";
import { verifyEverything } from "../support/fault.ts";
import { nginx } from "../support/nginx.ts";
import { refusedWith, Traces } from "../support/refusals.ts";
import { startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

t.test(
  "behind nginx with the sample configuration uploads stream, refusals arrive, and a stop loses nothing",
  async (t) => {
    const stack = await startStack(t, {
      store: "filesystem",
      queue: "postgres",
      variables: {
        DOCKSEAL_TRUST_PROXY: "127.0.0.1",
        DOCKSEAL_SHUTDOWN_SECONDS: "1",
        DOCKSEAL_UPLOAD_STALL_SECONDS: "5",
      },
    });
    const { party } = stack;
    const proxy = await nginx(t, stack.directory, [stack.url]);
    const trust = ["--cacert", proxy.certificate];
    const traces = await Traces.of(t, stack);
    const file = join(stack.directory, "clip.bin");
    await writeFile(file, randomBytes(20_000_000));

    const unknown = await sendClip(proxy.url, party.token, file, { ...someMetadata, colour: "red" }, ...trust);
    refusedWith(t, unknown, 400, "unknown-field", "a refusal in the middle of a body");
    refusedWith(
      t,
      await curl(...trust, "-X", "DELETE", `${proxy.url}/api/v1/nothing`),
      404,
      "not-found",
      "no such path",
    );

    // Behind a proxy that gathers answers nothing of a stream would come before it ends.
    const ca = await readFile(proxy.certificate, "utf8");
    const events = await EventReader.open(t, proxy.url, await Caller.person(stack, "handler"), { ca });
    const note = join(stack.directory, "note.txt");
    await writeFile(note, "现场无人。\n");
    const noted = await sendClip(proxy.url, party.token, note, { ...someMetadata, fileName: "note.txt" }, ...trust);
    const noteId = noted.json<{ id: string }>().id;
    await until("what happens is told while the stream is open", async () => events.of(noteId).includes("sealed"));
    await untilDone(stack, noteId);
    const settled = await traces.kept();

    // At 400 kB/s it would take 50 s: the API writes long before nginx could have the whole of it.
    const slow = slowly();
    await until("the upload that has just begun is written", async () => (await traces.kept()).unfinished.length === 1);
    t.same(await readdir(join(stack.directory, "nginx-client_body")), [], "nginx keeps nothing of it");
    slow.child.kill("SIGKILL");
    await traces.nothingLeftSoon(t, settled, "a station that is gone");

    const stopped = slowly();
    await until("another upload is written", async () => (await traces.kept()).unfinished.length === 1);
    await stack.serve.stop();
    t.equal(await stopped.status, 503, "an upload that a stop ends is told so through the proxy");
    t.same(await traces.kept(), settled, "and leaves nothing");
    await events.ended;
    t.equal((await sendRaw(proxy.url, party.token, file, someMetadata, ...trust)).status, 502, "while it is away: 502");
    await stack.serve.start();

    const taken = await sendRaw(proxy.url, party.token, file, someMetadata, ...trust);
    t.equal(taken.status, 201, taken.body);
    t.equal((await sendClip(proxy.url, party.token, file, someMetadata, ...trust)).status, 200, "once");
    const { id, sha256, sizeBytes } = taken.json<{ id: string; sha256: string; sizeBytes: number }>();
    t.equal(
      sha256,
      createHash("sha256")
        .update(await readFile(file))
        .digest("hex"),
    );
    t.equal((await curl(...trust, `${proxy.url}/metrics`)).status, 200, "this machine may read the metrics");
    t.match(id, /^[0-9a-f-]{36}$/);
    t.equal(sizeBytes, 20_000_000);
    const { differences } = await verifyEverything(stack, []);
    t.strictSame(differences, []);

    function slowly() {
      const child = spawn(
        "curl",
        [
          ...["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--limit-rate", "400K", ...trust, "-H", "expect:"],
          ...["-H", `authorization: Bearer ${party.token}`, "-F", `metadata=${JSON.stringify(someMetadata)}`],
          ...["-F", `file=@${file}`, `${proxy.url}/api/v1/clips`],
        ],
        { stdio: ["ignore", "pipe", "inherit"] },
      );
      t.teardown(() => void child.kill("SIGKILL"));
      const status = Promise.all([text(child.stdout), once(child, "exit")]).then(([code]) => Number(code));
      return { child, status };
    }
  },
);
