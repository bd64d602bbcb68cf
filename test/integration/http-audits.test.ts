import { randomBytes } from "node:crypto";
import { chmod, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { Caller } from "../support/api.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { doctorOf } from "../support/fault-doctor.ts";
import { refusedWith } from "../support/refusals.ts";
import { startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

interface Run {
  readonly id: string;
  readonly state: string;
  readonly expectedCount: number;
  readonly readCount: number;
  readonly intactCount: number;
  readonly damagedCount: number;
  readonly faults: readonly { clipId: string; outcome: string }[];
}

t.test("an auditor starts audits of everything or of a case, follows them, and damage shows everywhere", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres" });
  const auditor = await Caller.person(stack, "auditor");
  refusedWith(t, await auditor.call("POST", "/api/v1/audits", {}), 409, "nothing-to-audit", "before there is anything");
  refusedWith(t, await auditor.call("POST", "/api/v1/audits", { all: true }), 400, "unknown-field", "no such field");

  const file = join(stack.directory, "clip.bin");
  const clips: string[] = [];
  for (let n = 0; n < 2; n += 1) {
    await writeFile(file, randomBytes(30_000));
    clips.push((await sendClip(stack.url, stack.party.token, file, someMetadata)).json<{ id: string }>().id);
  }
  const [bound = "", other = ""] = clips;
  const handler = await Caller.person(stack, "handler");
  const { id: caseId } = (await handler.call("POST", "/api/v1/cases", { number: "(2026) 1" })).json<{ id: string }>();
  const empty = (await handler.call("POST", "/api/v1/cases", { number: "(2026) 2" })).json<{ id: string }>();
  const binding = { clipId: bound, evidencePurpose: "p", capturePlace: "here" };
  t.equal((await handler.call("POST", `/api/v1/cases/${caseId}/bindings`, binding)).status, 201);
  await until("both are sealed and in the log", async () => {
    // In this order: what seals a clip also leaves an event that waits for its place in the log.
    const states = await stack.db.selectFrom("clip").select("state").execute();
    const waiting = await stack.db.selectFrom("custodyPending").select("eventId").execute();
    return waiting.length === 0 && states.every(({ state }) => state === "sealed");
  });

  const ended = async (body: unknown): Promise<Run> => {
    const started = await auditor.call("POST", "/api/v1/audits", body);
    t.equal(started.status, 201, started.body);
    const { id } = started.json<Run>();
    return until("the audit is over", async () => {
      const run = (await auditor.call("GET", `/api/v1/audits/${id}`)).json<Run>();
      return run.state !== "running" && run;
    });
  };
  const first = await ended({});
  t.match(first, { state: "finished", expectedCount: 2, readCount: 2, intactCount: 2, faults: [] });
  const ofCase = await ended({ caseId });
  t.match(ofCase, { state: "finished", caseId, expectedCount: 1, readCount: 1, intactCount: 1 });
  const refused = await auditor.call("POST", "/api/v1/audits", { caseId: empty.id });
  refusedWith(t, refused, 409, "nothing-to-audit", "of a case without clips");

  const { objectKey, versionId } = await stack.db
    .selectFrom("clip")
    .select(["objectKey", "versionId"])
    .where("id", "=", other)
    .executeTakeFirstOrThrow();
  const path = join(stack.directory, "evidence/objects", `${objectKey}@`, `v-${versionId}`);
  await chmod(path, 0o600);
  const handle = await open(path, "r+");
  await handle.write(Buffer.from("altered"), 0, 7, 100);
  await handle.close();
  const damaged = await ended({});
  t.match(damaged, { state: "finished", readCount: 2, intactCount: 1, damagedCount: 1 });
  t.match(damaged.faults, [{ clipId: other, outcome: "damaged" }]);
  t.match((await auditor.call("GET", `/api/v1/clips/${other}`)).json(), { state: "quarantined", repairs: [] });

  const page = (await auditor.call("GET", "/api/v1/audits?limit=2")).json<{ items: Run[]; next: string }>();
  t.same(
    page.items.map(({ id }) => id),
    [damaged.id, ofCase.id],
    "newest first",
  );
  const rest = (await auditor.call("GET", `/api/v1/audits?limit=2&cursor=${page.next}`)).json<{ items: Run[] }>();
  t.match(rest, { items: [{ id: first.id }] });
  t.notOk("next" in rest);
  refusedWith(t, await auditor.call("GET", "/api/v1/audits?cursor=x"), 400, "malformed-field", "no cursor");
  const stranger = await Caller.person(stack, "auditor", stack.otherParty);
  t.same((await stranger.call("GET", "/api/v1/audits")).json(), { items: [] }, "others do not see it");
  refusedWith(t, await stranger.call("GET", `/api/v1/audits/${first.id}`), 404, "not-found", "nor read it");
  refusedWith(t, await stranger.call("POST", "/api/v1/audits", { caseId }), 404, "not-found", "nor audit our case");

  const metrics = await (await fetch(`${stack.url}/metrics`)).text();
  t.match(metrics, /^dockseal_audit_faults\{outcome="damaged"\} 1$/m);
  t.match(metrics, /^dockseal_audit_oldest_check_seconds [\d.]+$/m);
  t.match(metrics, /^dockseal_alarms\{kind="fixity-damage"\} 1$/m);
  const { findings } = await doctorOf(stack);
  t.match(findings.get("fixity"), { status: "ok", detail: /last manual finished .*no replica/ });
  t.match(findings.get("alarms"), { status: "wrong", detail: new RegExp(other) });
});
