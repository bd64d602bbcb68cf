import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { Caller } from "../support/api.ts";
import { bareNode } from "../support/bare-node.ts";
import { OldStation, type Told } from "../support/old-station.ts";
import { startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const run = promisify(execFile);
const cli = join(import.meta.dirname, "../../src/cli/dockseal.ts");

interface Numbered {
  readonly wjbh: string;
}

t.test("an old station beats, announces, sends, deletes what it may, and what came that way says so", async (t) => {
  const variables = { DOCKSEAL_GATEWAY: "yes", DOCKSEAL_GATEWAY_SILENT_SECONDS: "3" };
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", variables, withoutWorker: true });
  const administrator = await Caller.person(stack, "administrator");
  const issued = await administrator.call("POST", `/api/v1/stations/${stack.party.stationId}/gateway-key`, {
    addresses: ["127.0.0.0/8"],
  });
  const { key } = issued.json<{ key: string }>();
  // Stations in the field have the longer address built in.
  const station = await OldStation.of(stack, key, { base: `${stack.url}/openapi/workstation` });

  const ping = await station.call("GET", "/v3/ping");
  t.equal(ping.json<Told>().code, 0, "ping");
  const beat = (await station.call("POST", "/v3/wsinfo/heartbeat", station.heartbeat())).json<
    Told<{ svrtime: string }>
  >();
  t.match(beat, { code: 0, message: "SUCCESS", body: { gzz_xh: station.number, bmbh: stack.party.organizationId } });
  t.match(beat.body.svrtime, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
  const listed = (await administrator.call("GET", "/api/v1/stations")).json<{ items: unknown[] }>();
  t.match(listed.items, [
    { gateway: { authentication: "weak", totalMib: 4194304, freeMib: 3682304, version: "3.4.5", alarmType: "0" } },
  ]);
  t.match((await station.call("GET", "/v3/suborg")).json<Told>().body, [{ bmbh: stack.party.organizationId }]);
  t.same((await station.call("GET", "/v3/userinfo")).json<Told>().body, [], "no person is named on a shared key");

  const files = await Promise.all(
    [1, 2, 3].map(async (sequence) => {
      const bytes = randomBytes(100_000 + sequence);
      const path = join(stack.directory, `old-${sequence}.mp4`);
      await writeFile(path, bytes);
      const record = station.record(sequence, bytes.length);
      return { path, record, wjbh: String(record["wjbh"]), sha256: createHash("sha256").update(bytes).digest("hex") };
    }),
  );
  const [first, second, third] = files;
  if (first === undefined || second === undefined || third === undefined) throw new Error("three files");
  const announced = await station.call("POST", "/v3/fileinfo", [first.record, second.record, third.record]);
  t.same(announced.json<Told>().body, { accepted: 3 });
  const again = await station.call("POST", "/v3/fileinfo", [first.record]);
  t.equal(again.json<Told>().code, 0, "announced again: nothing new");

  const sent = (await station.send(first.wjbh, first.path)).json<Told<{ clipId: string; sha256: string }>>();
  t.match(sent, { code: 0, body: { sha256: first.sha256 } }, "bytes of an announced file");
  const form = (await station.sendForm(second.record, second.path)).json<Told<{ clipId: string }>>();
  t.equal(form.code, 0, "record and bytes in one form");
  const twice = (await station.send(first.wjbh, first.path)).json<Told<{ clipId: string }>>();
  t.equal(twice.body.clipId, sent.body.clipId, "sent again: the same clip");
  const other = join(stack.directory, "other.mp4");
  await writeFile(other, randomBytes(100_001));
  const reused = await station.send(first.wjbh, other);
  t.equal(reused.status, 409, "other bytes under the same number");
  t.match(reused.json<Told>(), { code: 409, message: /^file-number-reused/ });

  const path = `/api/v1/stations/${stack.party.stationId}/announcements?arrived=false`;
  const missing = (await administrator.call("GET", path)).json<{ items: { fileNumber: string }[] }>();
  t.same(
    missing.items.map(({ fileNumber }) => fileNumber),
    [third.wjbh],
    "announced and never arrived",
  );

  const deletable = async () =>
    (await station.call("GET", "/v3/can_delete_files")).json<Told<Numbered[]>>().body.map(({ wjbh }) => wjbh);
  t.same(await deletable(), [], "nothing is sealed: nothing may be deleted");
  const early = await station.call("POST", "/v3/notify_file_deleted", [
    { wjbh: third.wjbh },
    { wjbh: "never-heard-of" },
  ]);
  t.match(early.json<Told>(), { code: 409, message: /^wiped-without-receipt/ }, "deleted without proof: told so");

  await stack.work.start();
  await until("both are sealed", async () => (await deletable()).length === 2);
  t.same(await deletable(), [first.wjbh, second.wjbh], "sealed ones, and the announced one is not among them");
  for (const { body } of [sent, form]) {
    const receipt = await administrator.call("GET", `/api/v1/clips/${body.clipId}/receipt`);
    t.equal(receipt.status, 200, "what may be deleted has a receipt");
  }
  const told = await station.call("POST", "/v3/notify_file_deleted", [{ wjbh: first.wjbh }]);
  t.equal(told.json<Told>().code, 0);
  t.equal((await station.call("POST", "/v3/notify_file_deleted", { wjbh: first.wjbh })).json<Told>().code, 0, "twice");
  t.same(await deletable(), [second.wjbh], "what is deleted is listed no more");

  const clip = (await administrator.call("GET", `/api/v1/clips/${sent.body.clipId}`)).json<Record<string, unknown>>();
  t.match(clip, {
    ...{ source: "gateway", kind: String, important: true, sha256: first.sha256, collectorNumber: "371501" },
    ...{ capturedAtRaw: "2026-11-21 09:30:00", capturedAt: /^2026-11-21T01:30:00(\.0+)?Z$/ },
    metadata: { sequence: 1, durationSeconds: 900, recorderSerial: station.recorder, capturedAtZone: "Asia/Shanghai" },
  });
  const custody = (await administrator.call("GET", `/api/v1/clips/${sent.body.clipId}/custody`)).json<{
    items: { type: string; details: Record<string, unknown> }[];
  }>();
  const arrival = custody.items.find(({ type }) => type === "clip.received");
  t.match(arrival?.details, {
    source: "gateway",
    authentication: /^weak/,
    fileNumber: first.wjbh,
    sourceAddress: "127.0.0.1",
  });
  t.equal(custody.items.filter(({ type }) => type === "clip.source-wiped").length, 1, "one wipe, however often told");

  await until("the silence is noticed", async () => {
    const { items } = (await administrator.call("GET", "/api/v1/alarms")).json<{ items: { kind: string }[] }>();
    return items.some(({ kind }) => kind === "gateway-station-silent");
  });
  const bad = station.heartbeat({ syzrl: 4194000, raid_zt: 7, bjlx: "2" });
  await station.call("POST", "/v3/wsinfo/heartbeat", bad);
  const kinds = (await administrator.call("GET", "/api/v1/alarms"))
    .json<{ items: { kind: string }[] }>()
    .items.map(({ kind }) => kind);
  const wanted = ["gateway-low-space", "gateway-number-reused", "gateway-raid-fault", "gateway-station-alarm"];
  t.same(
    kinds.filter((kind) => kind !== "gateway-station-silent").sort(),
    [...wanted, "gateway-wiped-without-receipt", "gateway-wiped-without-receipt"],
    "what is wrong is an alarm",
  );

  await station.call("POST", "/v3/log/wslog", [{ rzlx: "1", sj: "2026-11-21 18:20:00" }]);
  const fsck = await run("env", bareNode(cli, "fsck"), { env: { ...process.env, ...stack.environment } });
  t.match(fsck.stdout, /1 stationLogs.*: 0 differences/, "fsck finds log, rows and store in agreement");

  const logs = `${await stack.serve.log()}${await stack.work.log()}`;
  t.ok(logs.includes("gateway.heartbeat"), "requests are logged by operation");
  t.notOk(logs.includes(key), "the key never is");
});
