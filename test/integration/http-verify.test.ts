import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import type { PersonClient } from "../../src/cli/person-client.ts";
import { Caller } from "../support/api.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { signIn } from "../support/people.ts";
import type { Rgw } from "../support/rgw.ts";
import { slowReads } from "../support/slow-s3.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { refusal, StrictS3 } from "../support/strict-s3.ts";
import { until } from "../support/until.ts";

// A verification that takes its time says how far it is, and what came of it although the answer had begun.

const sizeBytes = 6_000_000;
const s3 = new StrictS3();
let stack: Stack;
let clipId = "";
let auditor: PersonClient;
let headers: Record<string, string>;

t.before(async () => {
  const url = await s3.listen();
  t.teardown(() => s3.close());
  stack = await startStack(t, { store: "s3", queue: "postgres", s3: { url: () => url } as unknown as Rgw });
  const file = join(stack.directory, "clip.bin");
  await writeFile(file, randomBytes(sizeBytes));
  const sent = await sendClip(stack.url, stack.party.token, file, { ...someMetadata, kind: "other" });
  clipId = sent.json<{ id: string }>().id;
  auditor = await signIn(stack, "auditor");
  const lines = (await Caller.person(stack, "auditor")).headers.filter((_, at) => at % 2 === 1);
  headers = Object.fromEntries(lines.map((line) => line.split(/: (.*)/s).slice(0, 2)));
  await until("the clip is sealed and examined", async () => {
    const clip = await auditor.get<{ state: string; pending: unknown[] }>(`/api/v1/clips/${clipId}`);
    return clip.state === "sealed" && clip.pending.length === 0;
  });
});
t.afterEach(() => {
  s3.fault = undefined;
});

interface Line {
  readonly progress?: { readonly bytesRead: number; readonly bytesTotal: number; readonly look: number };
  readonly result?: { readonly intact: boolean; readonly found: { readonly sizeBytes: number } | null };
  readonly problem?: { readonly type: string; readonly requestId: string };
}

/** Asks for progress, and takes the lines as they come. */
async function verifyInSteps({
  id = clipId,
  signal,
}: {
  id?: string;
  signal?: AbortSignal;
} = {}): Promise<{ lines: Line[]; answer: Response; ended: Promise<void> }> {
  const answer = await fetch(`${stack.url}/api/v1/clips/${id}/verify`, {
    method: "POST",
    headers: { ...headers, accept: "application/x-ndjson" },
    ...(signal && { signal }),
  });
  const lines: Line[] = [];
  const read = async (): Promise<void> => {
    let text = "";
    const decoder = new TextDecoder();
    for await (const bytes of answer.body ?? []) {
      text += decoder.decode(bytes as Uint8Array, { stream: true });
      const whole = text.split("\n");
      text = whole.pop() ?? "";
      for (const line of whole) lines.push(JSON.parse(line) as Line);
    }
    if (text !== "") throw new Error(`half a line: ${text}`);
  };
  return { lines, answer, ended: answer.ok ? read() : Promise.resolve() };
}

t.test("whoever asks for it sees how far it is, and at the end the result that others get", async (t) => {
  const store = slowReads(s3);
  const { lines, answer, ended } = await verifyInSteps();
  t.equal(answer.status, 200);
  t.match(answer.headers.get("content-type"), /^application\/x-ndjson/);
  t.equal(answer.headers.get("x-accel-buffering"), "no", "no proxy holds it back");
  await until("three steps", () => new Set(lines.map(({ progress }) => progress?.bytesRead)).size >= 3);
  store.goOn();
  await ended;
  const steps = lines.slice(0, -1).map(({ progress }) => progress?.bytesRead ?? Number.NaN);
  t.equal(steps[0], 0);
  t.same(
    steps,
    steps.toSorted((a, b) => a - b),
    "bytes only grow",
  );
  t.ok(steps.every((bytes) => bytes <= sizeBytes));
  t.ok(lines.every(({ progress }) => progress === undefined || progress.bytesTotal === sizeBytes));
  s3.fault = undefined;
  const plain = await auditor.post<object>(`/api/v1/clips/${clipId}/verify`);
  t.match(plain, { intact: true, found: { sizeBytes } });
  t.same(lines.at(-1), { result: plain }, "the last line is the answer of who does not ask for progress");
});

t.test("what goes wrong after the answer began is its last line", async (t) => {
  s3.fault = (call) => (call.operation === "get" ? refusal(503, "SlowDown") : undefined);
  const { lines, answer, ended } = await verifyInSteps();
  await ended;
  t.equal(answer.status, 200);
  t.match(lines.at(-1), { problem: { type: "/problems/store-unavailable", advice: String, requestId: String } });
  t.notOk(lines.some(({ result }) => result !== undefined));
  const log = await stack.serve.log();
  t.ok(log.includes(lines.at(-1)?.problem?.requestId ?? "?"), "and stands in the log under that id");
  const nothing = await verifyInSteps({ id: "00000000-0000-7000-8000-000000000000" });
  t.equal(nothing.answer.status, 404, "what is known before has its own status");
  await nothing.answer.body?.cancel();
});

t.test("who hangs up ends it, and nothing is logged", async (t) => {
  const verified = async (): Promise<number> => {
    const { items } = await auditor.get<{ items: { type: string }[] }>(`/api/v1/clips/${clipId}/custody`);
    return items.filter(({ type }) => type === "clip.verified").length;
  };
  const before = await verified();
  const store = slowReads(s3);
  const hangUp = new AbortController();
  const { lines, ended } = await verifyInSteps({ signal: hangUp.signal });
  await until("it is being read", () => lines.some(({ progress }) => (progress?.bytesRead ?? 0) > 0));
  hangUp.abort();
  await t.rejects(ended);
  await until("nobody reads the store any more", () => store.gone === 1);
  t.equal(await verified(), before);
});

t.test("a difference is looked at twice before it counts, which can be seen", async (t) => {
  for (const versions of s3.objects.values()) {
    for (const version of versions) {
      if (version.bytes.length !== sizeBytes) continue;
      version.bytes = Buffer.from(version.bytes);
      version.bytes[1000] = (version.bytes[1000] ?? 0) ^ 1;
    }
  }
  const { lines, ended } = await verifyInSteps();
  await ended;
  t.match(lines.at(-1), { result: { intact: false, repaired: false } });
  t.ok(lines.some(({ progress }) => progress?.look === 2));
});
