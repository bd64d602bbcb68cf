import { rename, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import type { Role } from "#identity";
import { newId } from "#kernel";
import { Caller } from "../support/api.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { refusedWith } from "../support/refusals.ts";
import { startStack, type TestParty } from "../support/stack.ts";
import { until } from "../support/until.ts";

interface Overview {
  readonly handler: { readonly unboundClips: number; readonly newestCases: readonly { readonly number: string }[] };
  readonly supervisor: { readonly clipStates: { readonly sealed: number }; readonly openFindings: object };
  readonly auditor: {
    readonly log: { readonly waiting: number; readonly entries: number; readonly checkpoint: { size: number } | null };
    readonly timestamps: { readonly authorities: readonly unknown[] };
  };
  readonly administrator: {
    readonly stations: readonly { readonly lastHeardAt: string | null }[];
    readonly work: readonly object[];
    readonly store: { readonly writeOnce: { readonly detail: string } };
  };
}

t.test("everybody gets the figures of their role, and only those", async (t) => {
  const stack = await startStack(t, {
    store: "filesystem",
    queue: "postgres",
    variables: { DOCKSEAL_CHECKPOINT_ANCHOR_SECONDS: "1" },
  });
  const callers: Record<Role, Caller> = {
    handler: await Caller.person(stack, "handler"),
    supervisor: await Caller.person(stack, "supervisor"),
    auditor: await Caller.person(stack, "auditor"),
    administrator: await Caller.person(stack, "administrator"),
  };
  const shownTo = async <R extends Role>(role: R): Promise<Overview[R]> => {
    const answer = await callers[role].call("GET", "/api/v1/overview");
    if (answer.status !== 200) throw new Error(answer.body);
    const overview = answer.json<Overview>();
    if (Object.keys(overview).join() !== role) throw new Error(`${role} is shown ${Object.keys(overview)}`);
    return overview[role];
  };
  const noStates = { received: 0, hashed: 0, sealed: 0, quarantined: 0 };
  t.same(await shownTo("handler"), { unboundClips: 0, newestCases: [] }, "before anything came");
  t.same(await shownTo("supervisor"), { clipStates: noStates, openFindings: {} });
  t.match(await shownTo("auditor"), { log: { entries: Number }, openAlarms: 0 });
  t.match(await shownTo("administrator"), { stations: [{ lastHeardAt: null }], work: [] });

  const file = join(stack.directory, "clip.bin");
  const send = async (content: string, party: TestParty = stack.party, metadata: Record<string, unknown> = {}) => {
    await writeFile(file, content);
    const place = { text: "人民路" };
    const sent = await sendClip(stack.url, party.token, file, { ...someMetadata, place, ...metadata });
    t.equal(sent.status, 201, sent.body);
    return sent.json<{ id: string; receivedAt: string }>();
  };
  const bound = await send("one");
  const newest = await send("two");
  await send("theirs", stack.otherParty, { recorderSerial: "THEIRS" });
  const ids: string[] = [];
  for (let n = 1; n <= 6; n += 1) {
    const opened = await callers.handler.call("POST", "/api/v1/cases", { number: `${n}号` });
    ids.push(opened.json<{ id: string }>().id);
  }
  t.equal((await callers.administrator.call("POST", "/api/v1/cases", { number: "别人的" })).status, 201);
  const binding = { clipId: bound.id, evidencePurpose: "p" };
  t.equal((await callers.handler.call("POST", `/api/v1/cases/${ids[0]}/bindings`, binding)).status, 201);
  const handler = await shownTo("handler");
  t.equal(handler.unboundClips, 1, "what is bound does not wait here, nor what is another organization's");
  const numbers = handler.newestCases.map(({ number }) => number);
  t.same(numbers, ["6号", "5号", "4号", "3号", "2号"], "the newest that the handler opened");

  await until("all is sealed", async () => (await shownTo("supervisor")).clipStates.sealed === 2);
  await stack.db
    .insertInto("alarm")
    .values({ id: newId(), kind: "fixity-damage", subject: "x", detail: "d" })
    .execute();
  // Pictures are still made of what is sealed, which the log tells too: nothing may come after the figures.
  await until("nothing waits for a worker", async () => (await shownTo("administrator")).work.length === 0);
  const auditor = await until("checkpoints are timestamped, and all is in the log", async () => {
    const shown = await shownTo("auditor");
    const { waiting, entries, checkpoint } = shown.log;
    return shown.timestamps.authorities.length > 0 && waiting === 0 && checkpoint?.size === entries && shown;
  });
  const entries = await stack.db.selectFrom("logEntry").select("index").execute();
  t.match(auditor, {
    log: { entries: entries.length, checkpoint: { size: entries.length }, witnessedSize: 0, witnesses: [] },
    timestamps: {
      authorities: [{ authority: String, independent: false, lastTokenAt: /^2\d{3}-.*Z$/ }],
      ...{ waitingClips: 0, lastError: null },
    },
    fixity: { oldestCheckAt: /^2\d{3}-.*Z$/, faults: {}, running: [], waitingSamples: Number, repairs: 0 },
    openAlarms: 1,
  });

  const administrator = await until("the store was probed", async () => {
    const shown = await shownTo("administrator");
    return shown.store.writeOnce.detail !== "not probed yet" && shown;
  });
  const evidence = join(stack.directory, "evidence");
  const { blocks, bsize } = await statfs(evidence);
  const { stationId, organizationId } = stack.party;
  t.match(administrator, {
    stations: [{ id: stationId, organizationId, lastHeardAt: newest.receivedAt }],
    store: {
      ...{ kind: "filesystem", location: `file://${evidence}`, answers: { ok: true, detail: "filesystem" } },
      ...{ writeOnce: { ok: false, detail: /not write-once/i }, space: { totalBytes: blocks * bsize } },
    },
  });
  t.equal(administrator.stations.length, 1, "no station of another organization");

  await stack.work.stop();
  const waiting = await send("three");
  const later = await shownTo("administrator");
  t.match(later.work, [{ step: "hash", count: 1, failedCount: 0, oldestSince: waiting.receivedAt.slice(0, 10) }]);
  t.match(later.stations, [{ lastHeardAt: waiting.receivedAt }], "a station was heard of when it last sent");
  const recorder = await stack.db
    .selectFrom("recorder")
    .select("id")
    .where("organizationId", "=", organizationId)
    .executeTakeFirstOrThrow();
  const before = await shownTo("supervisor");
  for (const [kind, subject, state, closedAt] of [
    ["overlap", "clip a", "open", null],
    ["overlap", "clip b", "open", null],
    ["clock-jump", "clip c", "open", null],
    ["gap-in-time", "clip d", "closed", waiting.receivedAt],
  ] as const) {
    const found = { id: newId(), recorderId: recorder.id, organizationId, kind, subject, state, closedAt };
    await stack.db
      .insertInto("recorderFinding")
      .values({ ...found, detail: "d", evidence: "{}" })
      .execute();
  }
  t.same(await shownTo("supervisor"), {
    clipStates: { ...noStates, sealed: 2, received: 1 },
    openFindings: { ...before.openFindings, "clock-jump": 1, overlap: 2 },
  });

  await rename(evidence, `${evidence}-away`);
  const away = await shownTo("administrator");
  await rename(`${evidence}-away`, evidence);
  t.match(away.store, { answers: { ok: false }, space: null }, "a store that is away is told, and is no fault of ours");
  refusedWith(t, await callers.handler.call("GET", "/api/v1/overview?role=auditor"), 400, "unknown-field", "a query");
});
