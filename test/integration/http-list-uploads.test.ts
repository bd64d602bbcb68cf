import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import t from "tap";
import { Caller } from "../support/api.ts";
import { refusedWith } from "../support/refusals.ts";
import { startStack } from "../support/stack.ts";
import { TusStation } from "../support/tus.ts";

interface Page {
  readonly items: {
    readonly id: string;
    readonly fileName: string;
    readonly offsetBytes: number;
    readonly receiving: boolean;
  }[];
  readonly next?: string;
}

t.test("people see how far the resumable uploads of their stations are", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", withoutWorker: true });
  const station = new TusStation(stack);
  const handler = await Caller.person(stack, "handler");
  const listed = async (query = "", caller = handler) => {
    const answer = await caller.call("GET", `/api/v1/uploads${query}`);
    t.equal(answer.status, 200, answer.body);
    return answer.json<Page>();
  };
  const names = async (query = "") => (await listed(query)).items.map(({ fileName }) => fileName);
  t.same(await listed(), { items: [] }, "none is under way");

  const begin = (fileName: string, from = station, metadata: Record<string, unknown> = {}) =>
    from.begun(10, { fileName, ...metadata });
  const first = await begin("1.mp4", station, { recorderSerial: "REC-0007" });
  const second = await begin("2.mp4");
  const third = await begin("3.mp4");
  await begin("theirs.mp4", new TusStation(stack, stack.otherParty), { recorderSerial: "THEIRS" });
  const piece = join(stack.directory, "piece");
  await writeFile(piece, "1234");
  t.equal((await station.patch(first, 0, piece)).status, 204);
  t.same(await names(), ["3.mp4", "2.mp4", "1.mp4"], "newest first, and only of their own organization");
  const [shown] = (await listed()).items.slice(-1);
  t.match(shown, {
    id: first.split("/").at(-1),
    stationId: stack.party.stationId,
    stationName: "采集站",
    recorderSerial: "REC-0007",
    fileName: "1.mp4",
    sizeBytes: 10,
    offsetBytes: 4,
    receiving: false,
    begunAt: /^2\d{3}-.*Z$/,
    expiresAt: /^2\d{3}-.*Z$/,
  });
  t.equal(Object.keys(shown ?? {}).length, 10, "and nothing else, such as where it is stored");

  const lease = (seconds: number) =>
    sql`UPDATE upload SET lease_until = clock_timestamp() + make_interval(secs => ${seconds})
      WHERE id = ${shown?.id}::uuid`.execute(stack.db);
  await lease(60);
  t.same(
    (await listed()).items.map(({ receiving }) => receiving),
    [false, false, true],
    "one whose bytes come in right now is told apart",
  );
  await lease(-1);
  t.equal((await listed()).items.at(-1)?.receiving, false, "until its lease is over");

  const page = await listed("?limit=2");
  t.same(
    page.items.map(({ fileName }) => fileName),
    ["3.mp4", "2.mp4"],
  );
  const rest = await listed(`?limit=2&cursor=${page.next}`);
  t.same([rest.items.map(({ fileName }) => fileName), rest.next], [["1.mp4"], undefined], "page by page");
  refusedWith(t, await handler.call("GET", "/api/v1/uploads?cursor=x"), 400, "malformed-field", "no cursor");
  refusedWith(t, await handler.call("GET", "/api/v1/uploads?state=gone"), 400, "unknown-field", "no such filter");

  await writeFile(piece, "123456");
  t.equal((await station.patch(first, 4, piece)).status, 204);
  t.same(await names(), ["3.mp4", "2.mp4"], "one that is complete is a clip");
  t.equal((await station.call("DELETE", second)).status, 204);
  t.same(await names(), ["3.mp4"], "one that was ended is gone");
  const id = third.split("/").at(-1) ?? "";
  await sql`UPDATE upload SET expires_at = clock_timestamp() WHERE id = ${id}::uuid`.execute(stack.db);
  t.same(await names(), [], "and so is one that nobody went on with in time");
});
