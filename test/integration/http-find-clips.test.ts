import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import t from "tap";
import { inTransaction } from "#db";
import { createStation } from "#identity";
import { type ClipFilter, countUnbound, listClips } from "#ingest";
import { newId } from "#kernel";
import { Caller } from "../support/api.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { refusedWith } from "../support/refusals.ts";
import { startStack } from "../support/stack.ts";

interface Page {
  readonly items: { readonly id: string; readonly receivedAt: string; readonly organizationId: string }[];
  readonly next?: string;
}

t.test("clips are found by what is known of them, alone and together, page by page", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", withoutWorker: true });
  const handler = await Caller.person(stack, "handler");
  const { organizationId, stationId } = stack.party;
  const second = await inTransaction(stack.db, (tx) =>
    createStation(tx, { organizationId, number: newId(), name: "二号站" }),
  );
  const names = new Map<string, string>();
  const arrived = new Map<string, string>();
  const send = async (name: string, metadata: Record<string, unknown>, token = stack.party.token) => {
    const file = join(stack.directory, "clip.bin");
    await writeFile(file, `footage of ${name}`);
    const sent = await sendClip(stack.url, token, file, { ...someMetadata, ...metadata });
    t.equal(sent.status, 201, sent.body);
    const { id, receivedAt } = sent.json<Page["items"][number]>();
    names.set(id, name);
    arrived.set(name, receivedAt);
    return id;
  };
  const a = await send("a", {
    kind: "video",
    fileName: "DCAM_1_20261121_0930.MP4",
    capturedAt: "2026-11-21T09:30:00+08:00",
  });
  await send("b", {
    kind: "photo",
    fileName: "现场照片.jpg",
    important: true,
    capturedAt: "2026-11-21T10:00:00+08:00",
  });
  const c = await send("c", { kind: "video", recorderSerial: "REC-0002", caseNumber: "测试〔2026〕7号Ａ" });
  const d = await send("d", { kind: "audio", collectorNumber: "37150002", fileName: "a_b%c.m4a" }, second.token);
  await send("theirs", { recorderSerial: "THEIRS", fileName: "DCAM_theirs.mp4" }, stack.otherParty.token);
  const playable = (id: string, is: boolean) =>
    stack.db.updateTable("clip").set({ playable: is }).where("id", "=", id).execute();
  await playable(a, true);
  await playable(c, false);
  await stack.db
    .updateTable("clip")
    .set({ state: "hashed", sm3: "0".repeat(64), chunkRoot: "0".repeat(64) })
    .where("id", "=", c)
    .execute();
  const file = (await handler.call("POST", "/api/v1/cases", { number: "强拆〔2026〕9号" })).json<{ id: string }>();
  const binding = { clipId: d, evidencePurpose: "p", capturePlace: "here" };
  const bound = await handler.call("POST", `/api/v1/cases/${file.id}/bindings`, binding);
  t.equal(bound.status, 201);

  const found = async (query: Record<string, string | number | boolean>, caller = handler) => {
    const text = new URLSearchParams(
      Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
    );
    const answer = await caller.call("GET", `/api/v1/clips?${text}`);
    t.equal(answer.status, 200, `${text}: ${answer.status === 200 ? "" : answer.body}`);
    return answer.json<Page>();
  };
  const shown = ({ items }: Page) => items.map(({ id }) => names.get(id)).join("");
  const at = (name: string) => arrived.get(name) ?? "";
  const expected: [query: Record<string, string | boolean>, names: string][] = [
    [{}, "dcba"],
    [{ kind: "video" }, "ca"],
    [{ kind: "text" }, ""],
    [{ recorder: "REC-0002" }, "c"],
    [{ recorder: "THEIRS" }, ""],
    [{ recorder: "NONE" }, ""],
    [{ station: stationId }, "cba"],
    [{ station: second.station.id }, "d"],
    [{ station: stack.otherParty.stationId }, ""],
    [{ collector: "37150002" }, "d"],
    [{ collector: "3715" }, ""],
    [{ capturedFrom: "2026-11-21T01:30:00Z" }, "ba"],
    [{ capturedFrom: "2026-11-21T09:30:00.000001+08:00" }, "b"],
    [{ capturedTo: "2026-11-21T02:00:00Z" }, "a"],
    [{ capturedFrom: "2026-11-21T01:30:00Z", capturedTo: "2026-11-21T10:00:01+08:00" }, "ba"],
    [{ receivedFrom: at("b") }, "dcb"],
    [{ receivedTo: at("b") }, "a"],
    [{ receivedFrom: at("b"), receivedTo: at("d") }, "cb"],
    [{ important: true }, "b"],
    [{ important: false }, "dca"],
    [{ playable: true }, "a"],
    [{ playable: false }, "c"],
    [{ text: "dcam" }, "a"],
    [{ text: "0930" }, "a"],
    [{ text: ".Mp4" }, "a"],
    [{ text: "照片" }, "b"],
    [{ text: "〔2026〕" }, "dc"],
    [{ text: "测试〔2026〕7号Ａ" }, "c"],
    [{ text: "9号" }, "d"],
    [{ text: "b%" }, "d"],
    [{ text: "a_b" }, "d"],
    [{ text: "%%" }, ""],
    [{ text: "zz" }, ""],
    [{ text: "clip.bin测试" }, ""],
    [{ unbound: true }, "cba"],
    [{ unbound: false }, "d"],
    [{ unbound: true, kind: "video", playable: false }, "c"],
    [{ case: file.id, kind: "audio" }, "d"],
    [{ case: file.id, kind: "video" }, ""],
    [{ state: "hashed", text: "7号" }, "c"],
    [{ state: "received", recorder: "REC-0001", collector: "37150001", important: true, text: "现场" }, "b"],
  ];
  for (const [query, wanted] of expected) t.equal(shown(await found(query)), wanted, JSON.stringify(query));

  const long: Record<string, string | boolean>[] = [
    {},
    { kind: "video" },
    { unbound: true },
    { text: "2026" },
    { receivedFrom: at("b") },
  ];
  for (const query of long) {
    let seen = "";
    let page = await found({ ...query, limit: 1 });
    for (let pages = 0; pages < 10; pages += 1) {
      seen += shown(page);
      if (page.next === undefined) break;
      page = await found({ ...query, limit: 1, cursor: page.next });
    }
    t.equal(seen, shown(await found(query)), `${JSON.stringify(query)} page by page`);
  }

  const station = Caller.station(stack);
  t.equal(shown(await found({}, station)), "cba", "a station sees what it sent");
  t.equal(shown(await found({ station: second.station.id }, station)), "", "and no other station's by asking for it");
  t.equal(shown(await found({ station: stationId, kind: "photo" }, station)), "b", "it may use filters too");

  const malformed = [
    ...["kind=film", "recorder=", "recorder=%E4%B8%AD", `recorder=${"x".repeat(65)}`, "station=1", "collector=a%20b"],
    ...[
      "important=yes",
      "playable=1",
      "playable=",
      "text=a",
      "text=%E4%B8%AD",
      `text=${"x".repeat(101)}`,
      "text=a%0Ab",
    ],
    ...["text=a%00", "capturedFrom=2026-11-21", "capturedTo=2026-11-21T09:30:00", "capturedFrom=yesterday"],
    ...["receivedFrom=2026-02-30T00:00:00Z", "receivedTo=2026-11-21T24:00:01Z", "receivedFrom=0000-01-01T00:00:00Z"],
    ...[
      "receivedTo=2026-11-21T09:30:00%2B24:00",
      "receivedTo=2026-11-21T09:30:00%2B16:00",
      "receivedTo=2026-11-21T09:30:00+08:00",
    ],
    ...["receivedTo=2026-11-21T09:30:00%2B08:60", "receivedTo=2026-11-21T09:61:00Z", "kind=video&kind=audio"],
    ...["capturedFrom=2026-11-21T09:30:00.1234567Z"],
  ];
  for (const query of malformed) {
    refusedWith(t, await handler.call("GET", `/api/v1/clips?${query}`), 400, "malformed-field", query);
  }
  for (const query of ["kinds=video", "stationId=x", "q=ab", "Text=ab"]) {
    refusedWith(t, await handler.call("GET", `/api/v1/clips?${query}`), 400, "unknown-field", query);
  }
});

t.test("among many clips few rows are touched for a page, whatever is asked", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", withoutWorker: true });
  const { organizationId, stationId } = stack.party;
  const few = await inTransaction(stack.db, (tx) => createStation(tx, { organizationId, number: newId(), name: "s" }));
  await sql`INSERT INTO recorder (id, organization_id, serial)
    SELECT gen_random_uuid(), ${organizationId}::uuid, 'REC-' || n FROM generate_series(0, 199) AS n`.execute(stack.db);
  const many = sql.lit(30_000);
  // One after the other; of each rare kind twenty, the oldest ones.
  await sql`
    INSERT INTO clip (id, organization_id, station_id, recorder_id, state, kind, file_name, size_bytes, sha256, object_key,
      version_id, metadata, collector_number, captured_at_raw, captured_at, important, case_number, received_at, playable)
    SELECT gen_random_uuid(), ${organizationId}::uuid, CASE WHEN n < 20 THEN ${few.station.id}::uuid ELSE ${stationId}::uuid END,
      recorder.id, CASE WHEN n < 20 THEN 'hashed' ELSE 'sealed' END, CASE WHEN n < 20 THEN 'text' ELSE 'video' END,
      CASE WHEN n < 20 THEN '现场笔录' ELSE 'DCAM_' END || md5(n::text) || '.mp4', 1000, md5(n::text) || md5(n::text), n::text,
      '1', '{}', 'C-' || (CASE WHEN n < 20 THEN 0 ELSE 1 + n % 500 END), 'x', clock_timestamp() - make_interval(mins => 5 * (${many} - n)),
      n < 20, CASE WHEN n % 3 = 0 THEN '罚〔2026〕' || n || '号' END,
      clock_timestamp() - make_interval(mins => 5 * (${many} - n)), n >= 20
    FROM generate_series(0, ${many} - 1) AS n
    JOIN recorder ON recorder.serial = 'REC-' || (CASE WHEN n < 20 THEN 0 ELSE 1 + n % 199 END)`.execute(stack.db);
  const { id: caseId } = await stack.db
    .insertInto("caseFile")
    .values({ id: newId(), organizationId, number: "强〔2026〕1号" })
    .returning("id")
    .executeTakeFirstOrThrow();
  // All but the oldest twenty are bound.
  await sql`
    INSERT INTO binding (id, revision, clip_id, case_id, captured_at, capture_place, collector_number, evidence_purpose, made_by)
    SELECT gen_random_uuid(), 1, id, ${caseId}::uuid, 'x', 'p', 'c', 'e', 'system:test' FROM clip WHERE state = 'sealed'
      AND organization_id = ${organizationId}::uuid`.execute(stack.db);
  await sql`VACUUM ANALYZE clip, binding, recorder, case_file`.execute(stack.db);

  const weeksAgo = new Date(Date.now() - 40 * 86_400_000);
  const hourLater = new Date(weeksAgo.getTime() + 3_600_000);
  const hour = { from: weeksAgo.toISOString(), to: hourLater.toISOString() };
  const questions: [what: string, filter: Partial<ClipFilter>, atLeast: number][] = [
    ["the newest", {}, 50],
    ["a common kind", { kind: "video" }, 50],
    ["a rare kind", { kind: "text" }, 20],
    ["no such kind", { kind: "photo" }, 0],
    ["a recorder", { recorderSerial: "REC-7" }, 50],
    ["a recorder that has been still for long", { recorderSerial: "REC-0" }, 20],
    ["a station that has been still for long", { stationId: few.station.id }, 20],
    ["a collector who has left", { collectorNumber: "C-0" }, 20],
    ["an hour of capture", { captured: hour }, 12],
    ["an hour of arrival", { received: hour }, 12],
    ["important ones", { important: true }, 20],
    ["what cannot be played", { playable: false }, 20],
    ["what is not sealed", { state: "hashed" }, 20],
    ["part of many names", { text: "dcam" }, 50],
    ["part of few names", { text: "笔录" }, 20],
    ["part of one name", { text: "现场笔录cfcd208495d565ef" }, 1],
    ["part of one case number", { text: "〕3117号" }, 1],
    ["part of no name", { text: "没有" }, 0],
    ["few by two things", { text: "笔录", recorderSerial: "REC-0" }, 20],
    ["the tray of the oldest, behind all that are bound", { unbound: true }, 20],
  ];
  for (const [what, filter, atLeast] of questions) {
    const { items, touched } = await inTransaction(stack.db, async (tx) => {
      const { items } = await listClips(tx, { organizationId, limit: 50, ...filter });
      const { rows } = await sql<{ touched: number }>`
        SELECT (seq_tup_read + idx_tup_fetch)::int AS touched FROM pg_stat_xact_user_tables WHERE relname = 'clip'`.execute(
        tx,
      );
      return { items, touched: rows[0]?.touched ?? 0 };
    });
    t.equal(items.length, atLeast, `${what}: found`);
    t.ok(touched < 2000, `${what}: ${touched} rows were looked at`);
  }
  t.equal(await countUnbound(stack.db, organizationId), 20, "and so many are counted");
});
