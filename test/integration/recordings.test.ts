import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import t from "tap";
import type { Database } from "#db";
import { analyseNext, followLog } from "#recordings";
import { fsckRecordings } from "../../src/audit/fsck-recordings.ts";
import { Caller } from "../support/api.ts";
import { sequenceAll } from "../support/audit.ts";
import { sendClip } from "../support/curl.ts";
import { heldTable } from "../support/held-table.ts";
import { refusedWith } from "../support/refusals.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

interface Finding {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly recorderSerial: string;
  readonly evidence: { readonly [name: string]: unknown };
  readonly acknowledgement: unknown;
}
interface Recording {
  readonly id: string;
  readonly segmentCount: number;
  readonly recordedSeconds: number | null;
  readonly segments: { readonly clipId: string; readonly gapBeforeMs: number | null; readonly capturedAtRaw: string }[];
}

const limits = {
  lateAfterSeconds: 86_400,
  settleSeconds: 0,
  overlapToleranceSeconds: 30,
  gapToleranceSeconds: 2,
  sameRecordingSeconds: 300,
  clockToleranceSeconds: 60,
};
const base = Date.now() - 3_600_000;
/** What a recorder whose clock shows UTC shows so many seconds after an hour ago. */
const shown = (seconds: number) => new Date(base + seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
const threeDays = -3 * 86_400;

t.test("what recorders sent, in whatever order, becomes recordings and findings", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", withoutWorker: true });
  const { db } = stack;
  const [handler, supervisor, administrator] = await Promise.all(
    (["handler", "supervisor", "administrator"] as const).map((role) => Caller.person(stack, role)),
  );
  if (handler === undefined || supervisor === undefined || administrator === undefined) throw new Error("nobody");
  const station = Caller.station(stack);
  const send = sender(stack);
  const findings = async (query = "state=open") =>
    (await handler.call("GET", `/api/v1/findings?${query}`)).json<{ items: Finding[] }>().items;
  const kinds = async (query?: string) => (await findings(query)).map(({ kind }) => kind).sort();

  t.same((await handler.call("GET", "/api/v1/recording-limits")).json(), {
    ...{ ...limits, settleSeconds: 3600, revision: 0 },
  });
  const set = await administrator.call("PUT", "/api/v1/recording-limits", limits);
  t.same(set.json(), { ...limits, revision: 1 }, "an administrator sets limits");
  t.match((await administrator.call("PUT", "/api/v1/recording-limits", limits)).json(), { revision: 1 }, "once");
  const odd = await administrator.call("PUT", "/api/v1/recording-limits", { ...limits, settleSeconds: -1 });
  refusedWith(t, odd, 400, "malformed-field", "a negative limit");

  const third = await send("R1", 600, { sequence: 3 });
  const first = await send("R1", 0, { sequence: 1 });
  await look(db);
  t.match(await findings(), [
    { kind: "gap-in-sequence", evidence: { firstMissing: 2, lastMissing: 2, clipIds: [first.id, third.id] } },
  ]);
  t.same((await read(handler, third.id)).segments.length, 1, "alone until the segment before it comes");
  t.equal(
    (await handler.call("GET", `/api/v1/clips/${first.id}`)).json<{ recordingId: string }>().recordingId,
    first.id,
  );

  const second = await send("R1", 301, { sequence: 2 });
  t.equal((await send("R1", 301, { sequence: 2 })).status, 200, "sent twice");
  await look(db);
  t.same(await findings(), [], "the gap closes when the missing clip arrives");
  t.match(await findings("state=closed"), [{ kind: "gap-in-sequence", state: "closed" }], "and stays on record");
  const recording = await read(handler, third.id);
  t.match(recording, { id: third.id, segmentCount: 3, recordedSeconds: 900 }, "the id that came first stays");
  t.same(
    recording.segments.map(({ clipId, gapBeforeMs }) => [clipId, gapBeforeMs]),
    [
      [first.id, null],
      [second.id, 1000],
      [third.id, -1000],
    ],
    "in the order of the recorder, with the time between",
  );
  t.equal(recording.segments[0]?.capturedAtRaw, shown(0), "the raw string is what the source said");
  t.same(await read(handler, first.id), recording, "an id that a recording once had leads to it");
  const { items } = (await handler.call("GET", "/api/v1/recordings?recorder=R1")).json<{ items: Recording[] }>();
  t.same(
    items.map(({ id }) => id),
    [third.id],
  );

  const manifest = {
    readAt: new Date().toISOString(),
    recorderClock: shown(3600),
    clockOffsetMs: 1500,
    clockUncertaintyMs: 200,
    entries: [
      { fileName: "R1-0.mp4", capturedAt: shown(0), capturedAtZone: "Z", sequence: 1, sizeBytes: 1 },
      { fileName: `R1-${threeDays}.mp4`, capturedAt: shown(threeDays), capturedAtZone: "Z", durationSeconds: 300 },
    ],
  };
  const post = (body: unknown, serial = "R1") => station.call("POST", `/api/v1/recorders/${serial}/manifests`, body);
  const sent = await Promise.all([post(manifest), post(manifest), post(manifest)]);
  t.same(sent.map(({ status }) => status).sort(), [200, 200, 201], "three at once are one manifest");
  t.equal(new Set(sent.map((answer) => answer.json<{ id: string }>().id)).size, 1);
  refusedWith(t, await post({ ...manifest, extra: 1 }), 400, "unknown-field", "an unknown field");
  refusedWith(t, await post({ ...manifest, readAt: "2026-02-31T25:00:00Z" }), 400, "malformed-field", "no such time");
  await look(db);
  t.same(await kinds(), ["differs-from-manifest", "never-arrived"]);
  const page = (await handler.call("GET", "/api/v1/recorders/R1")).json<{ manifests: unknown[] }>();
  t.match(page, { serial: "R1", clipCount: 3, openFindings: 2, lastClock: { offsetMs: 1500, uncertaintyMs: 200 } });
  t.match(page.manifests, [{ entryCount: 2, clockOffsetMs: 1500 }]);

  const late = await send("R1", threeDays, {});
  await look(db);
  t.same(await kinds(), ["differs-from-manifest", "late-arrival"], "it arrived after all, and late");
  const [finding] = await findings("state=open&kind=late-arrival");
  t.match(finding, { recorderSerial: "R1", evidence: { clipIds: [late.id] }, acknowledgement: null });
  const acknowledge = (reason: string) =>
    supervisor.call("POST", `/api/v1/findings/${finding?.id}/acknowledge`, { reason });
  const answers = await Promise.all([acknowledge("站点停电"), acknowledge("站点停电")]);
  t.same(answers.map(({ status }) => status).sort(), [200, 409], "two at once acknowledge once");
  t.match(answers.find(({ status }) => status === 200)?.json(), {
    state: "acknowledged",
    acknowledgement: { by: { name: "supervisor" }, reason: "站点停电" },
  });
  await sql`UPDATE recorder_timeline SET due_at = now()`.execute(db);
  await look(db);
  t.same(await kinds("state=acknowledged"), ["late-arrival"], "looking again does not take that back");
  await administrator.call("PUT", "/api/v1/recording-limits", { ...limits, lateAfterSeconds: 7200 });
  await look(db);
  t.same(await kinds(), ["differs-from-manifest", "late-arrival"], "another limit: it has to be looked at again");
  await administrator.call("PUT", "/api/v1/recording-limits", { ...limits, lateAfterSeconds: 604_800 });
  await look(db);
  t.same(await kinds(), ["differs-from-manifest"], "it is late no more");

  await t.test("several processes at once find everything once", async (t) => {
    const before = (await findings("limit=200")).length;
    const serials = Array.from({ length: 6 }, (_, index) => `M${index}`);
    for (const serial of serials) {
      await send(serial, 0, { sequence: 1 });
      await send(serial, 900, { sequence: 3, unreadableRanges: [{ offset: 0, length: 512 }] });
    }
    await sequenceAll(db);
    await Promise.all(Array.from({ length: 4 }, () => lookOnce(db)));
    await look(db);
    const found = await findings("limit=200");
    t.equal(found.length, before + 12, "a missing number and an incomplete source each");
    t.equal(new Set(found.map(({ kind, recorderSerial }) => `${kind} ${recorderSerial}`)).size, found.length);
    const pages: string[] = [];
    for (let cursor = ""; ; ) {
      const path = `/api/v1/findings?limit=5${cursor && `&cursor=${cursor}`}`;
      const { items, next } = (await handler.call("GET", path)).json<{ items: Finding[]; next?: string }>();
      pages.push(...items.map(({ id }) => id));
      if (next === undefined) break;
      cursor = next;
    }
    t.same(
      pages,
      (await findings("limit=200")).map(({ id }) => id),
      "pages are the list",
    );
    refusedWith(t, await handler.call("GET", "/api/v1/findings?cursor=x"), 400, "malformed-field", "no cursor");
    const { items } = (await handler.call("GET", "/api/v1/recorders?limit=3")).json<{ items: { serial: string }[] }>();
    t.same(
      items.map(({ serial }) => serial),
      ["M0", "M1", "M2"],
    );
  });

  await t.test("killed in the middle, nothing is lost and nothing is there twice", async (t) => {
    await send("K", 0, { sequence: 1 });
    await send("K", 900, { sequence: 3 });
    const letGo = await heldTable(t, db, "recorder_finding");
    await stack.work.start();
    await until("the worker is amid writing what it found", async () => {
      const { rows } = await sql`SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO recorder_finding%'`.execute(
        db,
      );
      return rows.length > 0;
    });
    await stack.work.kill9();
    await letGo();
    t.equal(await recordingsOf(db, "K"), 0, "what it had written before is not there");
    await send("K", 1200, { sequence: 4 });
    await send("K", 1500, { sequence: 5 });
    await stack.work.start();
    await until("the recorder was looked at with all its clips", async () => {
      const { clipCount } = (await handler.call("GET", "/api/v1/recorders/K")).json<{ clipCount: number }>();
      return clipCount === 4;
    });
    await stack.work.stop();
    const rows = async () => ({
      findings: await db.selectFrom("recorderFinding").select(["id", "state", "evidence"]).orderBy("id").execute(),
      recordings: await db.selectFrom("recording").selectAll().orderBy("id").execute(),
      segments: await db.selectFrom("recordingSegment").selectAll().orderBy("clipId").execute(),
    });
    await look(db);
    const before = await rows();
    t.same(await kinds("recorder=K"), ["gap-in-sequence"]);
    await sql`UPDATE recording_cursor SET next_index = 0`.execute(db);
    await look(db);
    t.same(await rows(), before, "the whole log followed once more changes nothing");
    const clips = await db.selectFrom("clip").select("id").execute();
    t.equal(before.segments.length, clips.length, "every clip is in one recording");
  });

  await t.test("fsck compares manifests, acknowledgements and limits with the log", async (t) => {
    const of = async (tamper: string) => {
      const found: string[] = [];
      const undone = new Error("undone on purpose");
      await t.rejects(
        db.transaction().execute(async (tx) => {
          await sql`SET LOCAL session_replication_role = replica`.execute(tx);
          await sql.raw(tamper).execute(tx);
          await fsckRecordings(tx, ({ kind }) => void found.push(kind));
          throw undone;
        }),
        undone,
      );
      return found;
    };
    t.same(await of("SELECT 1"), [], "as it is");
    const manifestTampers = [
      "UPDATE recorder_manifest SET read_at = read_at + interval '1 second'",
      "UPDATE recorder_manifest SET manifest = jsonb_set(manifest, '{recorderClock}', '\"x\"')",
      "UPDATE recorder_manifest_entry SET entry = entry || '{\"sizeBytes\": 99}' WHERE entry ? 'sequence'",
      "DELETE FROM recorder_manifest_entry",
      "DELETE FROM recorder_manifest",
      "DELETE FROM custody_event WHERE type = 'recorder.manifest-received'",
    ];
    for (const tamper of manifestTampers) t.same([...new Set(await of(tamper))], ["recorder-manifest"], tamper);
    for (const tamper of ["UPDATE finding_acknowledgement SET reason = 'x'", "DELETE FROM finding_acknowledgement"]) {
      t.same(await of(tamper), ["finding-acknowledgement"], tamper);
    }
    t.same(await of("DELETE FROM recording_limits WHERE revision = 2"), ["recording-limits"]);
    t.same(await of(`UPDATE recording_limits SET limits = '{}' WHERE revision = 1`), ["recording-limits"]);
  });
});

/** One look at everything that is due, as `work` does it. */
async function lookOnce(db: Database): Promise<void> {
  const fail = (error: unknown) => {
    throw error;
  };
  while ((await followLog(db)) > 0);
  while (await analyseNext(db, fail));
}

async function look(db: Database): Promise<void> {
  await sequenceAll(db);
  await lookOnce(db);
}

async function recordingsOf(db: Database, serial: string): Promise<number> {
  const rows = await db
    .selectFrom("recording")
    .innerJoin("recorder", "recorder.id", "recording.recorderId")
    .select("recording.id")
    .where("serial", "=", serial)
    .execute();
  return rows.length;
}

async function read(caller: Caller, id: string): Promise<Recording> {
  return (await caller.call("GET", `/api/v1/recordings/${id}`)).json<Recording>();
}

/** Sends clips of five minutes; the same again has the same bytes, which a worker that sees them takes for no text. */
function sender(stack: Stack) {
  const path = join(stack.directory, "clip.bin");
  return async (recorderSerial: string, seconds: number, metadata: Record<string, unknown>) => {
    await writeFile(path, `\0clip of ${recorderSerial} at ${seconds}`);
    const answer = await sendClip(stack.url, stack.party.token, path, {
      ...{ recorderSerial, collectorNumber: "37150001", fileName: `${recorderSerial}-${seconds}.mp4`, kind: "video" },
      ...{ capturedAt: shown(seconds), capturedAtZone: "Z", durationSeconds: 300, ...metadata },
    });
    return { status: answer.status, id: answer.json<{ id: string }>().id };
  };
}
