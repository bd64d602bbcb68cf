import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { Caller } from "../support/api.ts";
import { type CurlAnswer, sendClip, someMetadata } from "../support/curl.ts";
import { header, refusedWith } from "../support/refusals.ts";
import { startStack } from "../support/stack.ts";

interface Binding {
  readonly id: string;
  readonly revision: number;
  readonly madeBy: string;
  readonly [annotation: string]: unknown;
}

t.test("clips are bound to cases with five annotations, and a correction keeps what stood there", async (t) => {
  t.setTimeout(180_000);
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", withoutWorker: true });
  const handler = await Caller.person(stack, "handler");
  const administrator = await Caller.person(stack, "administrator");
  let number = 0;
  const newClip = async (metadata: Record<string, unknown> = {}) => {
    number += 1;
    const path = join(stack.directory, "clip.bin");
    await writeFile(path, `clip ${number}`);
    const sent = await sendClip(stack.url, stack.party.token, path, { ...someMetadata, ...metadata });
    return sent.json<{ id: string }>().id;
  };
  const openCase = async (caseNumber: string, title?: string) =>
    handler.call("POST", "/api/v1/cases", { number: caseNumber, ...(title === undefined ? {} : { title }) });
  const correct = (caller: Caller, id: string, body: unknown, ifMatch?: string) =>
    caller.call(
      "PATCH",
      `/api/v1/bindings/${id}`,
      body,
      ...(ifMatch === undefined ? [] : ["-H", `if-match: ${ifMatch}`]),
    );

  const opened = await openCase("测试〔2026〕1号", "占道经营");
  t.equal(opened.status, 201, "a case is opened");
  const file = opened.json<{ id: string }>();
  t.equal(header(opened, "location"), `/api/v1/cases/${file.id}`);
  refusedWith(t, await openCase("测试〔2026〕1号"), 409, "conflict", "the same number again");
  const rivals = await Promise.all(Array.from({ length: 6 }, () => openCase("测试〔2026〕2号")));
  t.same(rivals.map(({ status }) => status).sort(), [201, 409, 409, 409, 409, 409], "six at once open one");
  const other = rivals.find(({ status }) => status === 201)?.json<{ id: string }>() ?? { id: "" };
  for (const search of ["〔2026〕", "%", "_", "\\"]) {
    const found = await handler.call("GET", `/api/v1/cases?number=${encodeURIComponent(search)}`);
    t.equal(found.json<{ items: [] }>().items.length, search === "〔2026〕" ? 2 : 0, `a search for ${search}`);
  }

  const bindTo = (caseId: string, body: unknown, caller = handler) =>
    caller.call("POST", `/api/v1/cases/${caseId}/bindings`, body);
  const placed = await newClip({ place: { text: "人民路1号" }, stage: "检查" });
  const bound = await bindTo(file.id, { clipId: placed, evidencePurpose: "证明现场情况" });
  t.equal(bound.status, 201, "bound with what the clip says of itself");
  t.equal(header(bound, "etag"), '"1"');
  const binding = bound.json<Binding>();
  t.match(binding, {
    revision: 1,
    capturedAt: someMetadata.capturedAt,
    capturePlace: "人民路1号",
    collectorNumber: someMetadata.collectorNumber,
    evidencePurpose: "证明现场情况",
    stage: "检查",
    withdrawn: false,
  });
  const bare = await newClip();
  const problem = refusedWith(
    t,
    await bindTo(file.id, { clipId: bare, evidencePurpose: "x" }),
    400,
    "malformed-field",
    "a clip without a place, and none given",
  );
  t.match(problem.errors, [{ field: "capturePlace" }]);
  const said = {
    capturedAt: "2026年11月21日9时",
    capturePlace: "人民路2号",
    collectorNumber: "37150002",
    stage: "询问",
  };
  const full = await bindTo(file.id, { clipId: bare, evidencePurpose: "证明询问过程", ...said });
  t.match(full.json(), { ...said, evidencePurpose: "证明询问过程" }, "what a person says comes first");

  refusedWith(
    t,
    await bindTo(file.id, { clipId: placed, evidencePurpose: "again" }),
    409,
    "conflict",
    "the same clip to the same case",
  );
  t.equal(
    (await bindTo(other.id, { clipId: placed, evidencePurpose: "p" })).status,
    201,
    "to another case it is bound",
  );
  const contested = await newClip({ place: { text: "p" } });
  const atOnce = await Promise.all(
    [handler, administrator, handler, administrator].map((caller) =>
      bindTo(file.id, { clipId: contested, evidencePurpose: "p" }, caller),
    ),
  );
  t.same(atOnce.map(({ status }) => status).sort(), [201, 409, 409, 409], "four people at once make one binding");

  const change = { capturePlace: "人民路3号", reason: "门牌写错了" };
  refusedWith(t, await correct(handler, binding.id, change), 428, "precondition-required", "without If-Match");
  for (const stale of ['"0"', '"2"', "1", "*", 'W/"1"', '"x"']) {
    refusedWith(t, await correct(handler, binding.id, change, stale), 412, "precondition-failed", `If-Match ${stale}`);
  }
  refusedWith(
    t,
    await correct(handler, binding.id, { capturePlace: "x" }, '"1"'),
    400,
    "malformed-field",
    "a correction without a reason",
  );
  const corrections = await Promise.all(
    [handler, administrator, handler].map((caller) => correct(caller, binding.id, change, '"1"')),
  );
  t.same(corrections.map(({ status }) => status).sort(), [200, 412, 412], "of three at once one holds");
  const corrected = corrections.find(({ status }) => status === 200) as CurlAnswer;
  t.equal(header(corrected, "etag"), '"2"');
  t.match(corrected.json(), {
    revision: 2,
    capturePlace: "人民路3号",
    evidencePurpose: "证明现场情况",
    reason: "门牌写错了",
  });
  const withdrawn = await correct(handler, binding.id, { withdrawn: true, reason: "不属于本案" }, '"2"');
  t.match(withdrawn.json(), { revision: 3, withdrawn: true, capturePlace: "人民路3号" }, "withdrawn");
  const rebound = await bindTo(file.id, { clipId: placed, evidencePurpose: "属于本案" });
  t.equal(rebound.status, 201, "after that the clip may be bound anew");

  const read = (await handler.call("GET", `/api/v1/cases/${file.id}`)).json<{
    clips: { id: string }[];
    bindings: Binding[];
  }>();
  const history = read.bindings.filter((one) => one.id === binding.id);
  t.same(
    history.map((one) => [one.revision, one["capturePlace"], one["withdrawn"]]),
    [
      [1, "人民路1号", false],
      [2, "人民路3号", false],
      [3, "人民路3号", true],
    ],
    "every revision stays readable, in order",
  );
  t.ok(
    history.every((one) => /^person:[0-9a-f-]{36}$/.test(one.madeBy)),
    "each says who made it",
  );
  t.same(read.clips.map((one) => one.id).sort(), [placed, bare, contested].sort(), "the case shows its clips");

  const tray = async () => {
    const { items } = (await handler.call("GET", "/api/v1/clips?unbound=true")).json<{ items: { id: string }[] }>();
    return items.map((item) => item.id);
  };
  const alone = await newClip();
  t.same(await tray(), [alone], "the tray holds what is bound to nothing");
  const { bindings } = (await handler.call("GET", `/api/v1/clips/${bare}`)).json<{ bindings: Binding[] }>();
  const again = await correct(handler, bindings[0]?.id ?? "", { withdrawn: true, reason: "r" }, '"1"');
  t.equal(again.status, 200);
  t.same((await tray()).sort(), [alone, bare].sort(), "and what was withdrawn");

  const custody = (await handler.call("GET", `/api/v1/clips/${placed}/custody`)).json<{ items: { type: string }[] }>();
  t.same(
    custody.items.map((item) => item.type),
    ["clip.received", "clip.bound", "clip.bound", "clip.rebound", "clip.unbound", "clip.bound"],
    "each of it is in the chain of custody",
  );
});
