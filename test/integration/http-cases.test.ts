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

  const casesOf = async (clipId: string, caller = handler) => {
    const { items } = (await caller.call("GET", "/api/v1/clips")).json<{ items: { id: string; cases: object[] }[] }>();
    return items.find(({ id }) => id === clipId)?.cases;
  };
  t.same(
    await casesOf(placed),
    [
      { id: other.id, number: "测试〔2026〕2号" },
      { id: file.id, number: "测试〔2026〕1号" },
    ],
    "the list says to which cases a clip is bound, by what holds now",
  );
  t.same(await casesOf(bare), [], "nothing of what was withdrawn");
  t.same(await casesOf(placed, Caller.station(stack)), [], "and a station is told of none");

  // Taken back here and bound there at the same moment, over and over: the tray goes by what holds in the end.
  const two = { [file.id]: "", [other.id]: "" };
  for (let round = 0; round < 6; round += 1) {
    const [into = "", out = ""] = round % 2 === 0 ? [file.id, other.id] : [other.id, file.id];
    const [made] = await Promise.all([
      bindTo(into, { clipId: alone, evidencePurpose: "p", capturePlace: "x" }),
      two[out] ? correct(handler, two[out], { withdrawn: true, reason: "r" }, '"1"') : undefined,
    ]);
    two[into] = made.json<Binding>().id;
    t.same(await tray(), [bare], `round ${round}: bound all the time`);
  }

  const custody = (await handler.call("GET", `/api/v1/clips/${placed}/custody`)).json<{ items: { type: string }[] }>();
  t.same(
    custody.items.map((item) => item.type),
    ["clip.received", "clip.bound", "clip.bound", "clip.rebound", "clip.unbound", "clip.bound"],
    "each of it is in the chain of custody",
  );
});

t.test("what is bound from the tray is bound to nothing else, and what was typed once is offered again", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", withoutWorker: true });
  const handler = await Caller.person(stack, "handler");
  const administrator = await Caller.person(stack, "administrator");
  const newClip = async (content: string) => {
    const path = join(stack.directory, "clip.bin");
    await writeFile(path, content);
    const metadata = { ...someMetadata, place: { text: "人民路1号" } };
    return (await sendClip(stack.url, stack.party.token, path, metadata)).json<{ id: string }>().id;
  };
  const [one, two] = [await newClip("one"), await newClip("two")];
  const files: string[] = [];
  for (const number of ["1号", "2号", "3号"]) {
    const opened = await handler.call("POST", "/api/v1/cases", { number, title: `案由${number}` });
    files.push(opened.json<{ id: string }>().id);
  }
  const [first = "", second = "", third = ""] = files;
  const bindTo = (caseId: string, clipId: string, more: object, caller = handler) =>
    caller.call("POST", `/api/v1/cases/${caseId}/bindings`, { clipId, evidencePurpose: "证明现场", ...more });

  const made = await bindTo(first, one, { onlyUnbound: true, stage: "现场检查" });
  t.equal(made.status, 201);
  const { id: bindingId, madeByName } = made.json<Binding>();
  t.equal(madeByName, "handler", "who made it is named");
  for (const [caseId, what] of [
    [second, "to another case"],
    [first, "a second time"],
  ] as const) {
    const refused = refusedWith(t, await bindTo(caseId, one, { onlyUnbound: true }), 409, "conflict", what);
    t.match(refused, { bindingId, caseId: first }, "and it says where it is bound");
  }
  // Not the third: whoever wins would stand among what is suggested there.
  const rivals = await Promise.all(
    [first, second, second, first].map((caseId) => bindTo(caseId, two, { onlyUnbound: true })),
  );
  t.same(rivals.map(({ status }) => status).sort(), [201, 409, 409, 409], "of two cases at once one gets it");

  const other = await bindTo(second, one, { evidencePurpose: "证明身份" }, administrator);
  t.equal(other.status, 201, "without it, a clip may be bound to several");
  const move = (caseId: string, revision: number) =>
    administrator.call(
      ...(["PATCH", `/api/v1/bindings/${other.json<Binding>().id}`, { caseId, reason: "r" }] as const),
      ...["-H", `if-match: "${revision}"`],
    );
  refusedWith(t, await move(first, 1), 409, "conflict", "a correction that would bind it twice to one case");
  t.equal((await move(third, 1)).status, 200);
  const withdraw = { withdrawn: true, reason: "误绑定" };
  const withdrawn = await handler.call("PATCH", `/api/v1/bindings/${bindingId}`, withdraw, "-H", 'if-match: "1"');
  t.equal(withdrawn.status, 200);
  t.equal((await move(first, 2)).status, 200, "what was withdrawn is in nobody's way");
  const back = { withdrawn: false, reason: "属于本案" };
  const again = await handler.call("PATCH", `/api/v1/bindings/${bindingId}`, back, "-H", 'if-match: "2"');
  refusedWith(t, again, 409, "conflict", "and does not come back beside another");

  const read = (await handler.call("GET", `/api/v1/clips/${one}`)).json<{ bindings: Binding[] }>();
  t.same(
    new Set(read.bindings.map((binding) => binding["madeByName"])),
    new Set(["handler", "administrator"]),
    "each revision of a clip names who made it",
  );
  const suggested = async (caller: Caller, caseId: string) =>
    (await caller.call("GET", `/api/v1/bindings/suggestions?case=${caseId}`)).json();
  t.match(await suggested(handler, third), { evidencePurposes: ["证明身份", "证明现场"], stages: ["现场检查"] });
  t.same(await suggested(administrator, files.at(-1) ?? ""), { evidencePurposes: ["证明身份"], stages: [] });
  const stranger = await Caller.person(stack, "handler", stack.otherParty);
  t.equal((await stranger.call("GET", `/api/v1/bindings/suggestions?case=${first}`)).status, 404);
  t.same((await stranger.call("GET", "/api/v1/bindings/suggestions")).json(), { evidencePurposes: [], stages: [] });

  const numbers: [string, number][] = [];
  let cursor = "";
  do {
    const page = (await handler.call("GET", `/api/v1/cases?limit=2${cursor}`)).json<{
      items: { number: string; clipCount: number }[];
      next?: string;
    }>();
    numbers.push(...page.items.map(({ number, clipCount }): [string, number] => [number, clipCount]));
    cursor = page.next === undefined ? "" : `&cursor=${page.next}`;
  } while (cursor !== "");
  const bound = numbers.reduce((sum, [, count]) => sum + count, 0);
  t.same(
    [numbers.map(([number]) => number), bound],
    [["3号", "2号", "1号"], 2],
    "cases come page by page, with counts",
  );
  const byTitle = (await handler.call("GET", `/api/v1/cases?number=${encodeURIComponent("案由2")}`)).json<{
    items: { number: string }[];
  }>();
  t.same(
    byTitle.items.map(({ number }) => number),
    ["2号"],
    "a case is found by its title as well",
  );
});
