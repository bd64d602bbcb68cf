import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { newId } from "#kernel";
import { Caller } from "../support/api.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { dockseal, type ExportAnswer, shell, untilAtRest, untilOver } from "../support/exports.ts";
import { refusedWith } from "../support/refusals.ts";
import { startStack } from "../support/stack.ts";

const run = promisify(execFile);

interface Clip {
  readonly id: string;
  readonly [fact: string]: unknown;
}

const said = {
  fileName: "现场检查笔录.pdf",
  capturedAt: "2026-11-21 10:30:00",
  capturedAtZone: "Asia/Shanghai",
  collectorNumber: "李办案",
  place: { text: "城关镇办公室" },
  evidencePurpose: "证明检查经过",
  stage: "现场检查",
};

t.test("a person adds a document to a case: a clip like all others, from no station, bound at once", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres" });
  const handler = await Caller.person(stack, "handler");
  const open = async (number: string) => (await handler.call("POST", "/api/v1/cases", { number })).json<Clip>().id;
  const [file, other] = [await open("1号"), await open("2号")];
  const path = join(stack.directory, "record.pdf");
  const scan = Buffer.concat([Buffer.from("%PDF-1.7\n"), randomBytes(5000)]);
  await writeFile(path, scan);
  const add = (caller: Caller, caseId: string, metadata: object = said, from = path, ...more: string[]) =>
    caller.call(
      ...(["POST", `/api/v1/cases/${caseId}/documents`, undefined] as const),
      ...["-F", `metadata=${JSON.stringify(metadata)}`, "-F", `file=@${from}`, ...more],
    );
  const eventsOf = async (id: string) => {
    const custody = await handler.call("GET", `/api/v1/clips/${id}/custody`);
    return custody.json<{ items: { type: string; actor: string }[] }>().items;
  };

  const strangers = await Caller.person(stack, "handler", stack.otherParty);
  refusedWith(t, await add(strangers, file), 404, "not-found", "to a case of another organization");
  refusedWith(t, await add(handler, newId()), 404, "not-found", "to no case");
  refusedWith(t, await add(handler, "x"), 400, "malformed-field", "to what is no id");
  refusedWith(t, await add(handler.without("x-csrf-token"), file), 403, "csrf-token-missing", "by another site");
  for (const role of ["supervisor", "auditor"] as const) {
    refusedWith(t, await add(await Caller.person(stack, role), file), 403, "forbidden", `by a ${role}`);
  }
  refusedWith(t, await add(Caller.station(stack), file), 403, "forbidden", "by a station");
  const { place: _place, ...placeless } = said;
  refusedWith(t, await add(handler, file, placeless), 400, "malformed-field", "without a place");
  const strange = { ...said, recorderSerial: "REC-1" };
  refusedWith(t, await add(handler, file, strange), 400, "unknown-field", "with a recorder");
  const digest = { sha256: "0".repeat(64) };
  refusedWith(t, await add(handler, file, { ...said, digest }), 422, "digest-differs", "other bytes than declared");
  refusedWith(t, await add(handler, file, { ...said, sizeBytes: 7 }), 422, "length-differs", "fewer than declared");
  t.same(await stack.db.selectFrom("clip").select("id").execute(), [], "of what was refused nothing is kept");
  t.same(await stack.db.selectFrom("binding").select("id").execute(), []);

  const taken = await add(handler, file, { ...said, sizeBytes: scan.length });
  t.equal(taken.status, 201, taken.body);
  const { id, ...facts } = taken.json<Clip>();
  t.match(facts, {
    ...{ source: "person", stationId: null, recorderSerial: null, organizationId: stack.party.organizationId },
    ...{ fileName: said.fileName, collectorNumber: "李办案", placeText: "城关镇办公室", sizeBytes: scan.length },
  });
  const read = (await handler.call("GET", `/api/v1/cases/${file}`)).json<{ clips: Clip[]; bindings: Clip[] }>();
  t.same(
    read.clips.map((clip) => clip.id),
    [id],
    "it is in the case at once",
  );
  t.match(read.bindings, [
    { capturedAt: said.capturedAt, capturePlace: "城关镇办公室", collectorNumber: "李办案", stage: "现场检查" },
  ]);
  await untilAtRest(stack);
  const types = (await eventsOf(id)).map(({ type }) => type);
  t.same(types.slice(0, 2), ["clip.received", "clip.bound"]);
  t.ok(types.includes("clip.sealed"), "it is sealed");
  t.ok(
    (await eventsOf(id)).slice(0, 2).every(({ actor }) => actor.startsWith("person:")),
    "and who brought it stands in the chain of custody",
  );

  const again = await add(handler, file);
  t.equal(again.status, 200, "the same bytes again");
  t.equal(again.json<Clip>().id, id, "are the clip from then");
  const elsewhere = await add(handler, other);
  t.same([elsewhere.status, elsewhere.json<Clip>().id], [200, id], "and may stand in another case as well");
  const bound = await stack.db.selectFrom("binding").select("caseId").where("clipId", "=", id).execute();
  t.same(bound.map(({ caseId }) => caseId).sort(), [file, other].sort(), "bound once to each");
  const rival = join(stack.directory, "rival.txt");
  await writeFile(rival, "同时添加");
  const atOnce = await Promise.all([1, 2, 3].map(() => add(handler, file, { ...said, fileName: "同时.txt" }, rival)));
  t.same(atOnce.map(({ status }) => status).sort(), [200, 200, 201], "of three at once one makes the clip");
  // The organization's people and its recorders are different sources of the same bytes.
  const station = await sendClip(stack.url, stack.party.token, path, { ...someMetadata, fileName: "a.pdf" });
  t.equal(station.status, 201);
  t.not(station.json<Clip>().id, id);
  t.match((await handler.call("GET", "/api/v1/clips?unbound=true")).json<{ items: Clip[] }>().items, [
    { id: station.json<Clip>().id, source: "station" },
  ]);

  await untilAtRest(stack);
  const receipt = join(stack.directory, "document.receipt.json");
  await writeFile(receipt, (await handler.call("GET", `/api/v1/clips/${id}/receipt`)).body);
  const verified = await dockseal(stack, "verify", receipt, "--file", path);
  t.match(verified.stdout, /\n {2}OK\n/, "its receipt holds as any other");
  const asked = await handler.call("POST", `/api/v1/cases/${file}/exports`);
  const { id: exportId } = asked.json<ExportAnswer>();
  t.match(await untilOver(handler, exportId), { state: "done" });
  const bag = `${stack.url}/api/v1/exports/${exportId}/bag`;
  await run("curl", ["-sS", "-f", ...handler.headers, "-o", join(stack.directory, "bag.tar"), bag]);
  await shell(stack.directory, "tar -xf bag.tar");
  const folder = join(stack.directory, "case-1号");
  const whole = await dockseal(stack, "verify", folder, "--trust", join(folder, "keys/trust.json"));
  t.match(whole.stdout, /\n {2}OK\n/, "and the case is exported with it");
  const { stdout } = await dockseal(stack, "fsck");
  t.match(stdout, /: 0 differences/, "and nothing differs from what the log says");
});
