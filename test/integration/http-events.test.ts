import { join } from "node:path";
import { sql } from "kysely";
import t from "tap";
import { Caller } from "../support/api.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { ffmpeg } from "../support/derive-media.ts";
import { EventReader } from "../support/event-stream.ts";
import { freePort } from "../support/port.ts";
import { header, refusedWith } from "../support/refusals.ts";
import { Process, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

t.test("people are told what happens to their clips, at whatever process they listen", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres" });
  const port = await freePort();
  const second = new Process("serve", { ...stack.environment, DOCKSEAL_PORT: String(port) }, stack.directory);
  t.teardown(() => second.stop());
  await second.start();
  const [here, there] = [stack.url, `http://127.0.0.1:${port}`];
  const film = join(stack.directory, "film.mp4");
  let films = 0;
  const send = async (url: string) => {
    films += 1;
    const picture = ["-f", "lavfi", "-i", `testsrc2=s=160x90:d=1:rate=${9 + films}`];
    await ffmpeg(...picture, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", film);
    const place = { text: "人民路" };
    const sent = await sendClip(url, stack.party.token, film, { ...someMetadata, fileName: "film.mp4", place });
    t.equal(sent.status, 201, sent.body);
    return sent.json<{ id: string }>().id;
  };

  const handler = await Caller.person(stack, "handler");
  const supervisor = await Caller.person(stack, "supervisor");
  const stranger = await Caller.person(stack, "handler", stack.otherParty);
  const readers = [
    await EventReader.open(t, here, handler),
    await EventReader.open(t, there, handler),
    await EventReader.open(t, there, supervisor),
  ] as const;
  const strangers = await EventReader.open(t, here, stranger);
  t.match(header(readers[0].answer, "content-type"), /^text\/event-stream/);
  t.equal(header(readers[0].answer, "cache-control"), "no-store");
  for (const reader of [...readers, strangers]) {
    await until("it is told that it begins", () => reader.events.length > 0);
    t.match(reader.events[0], { event: "ready", id: "0", data: {} }, "a new reader knows from where on it is told");
  }

  const clip = await send(here);
  const whole = ["hashed", "playable", "received", "sealed"];
  for (const [n, reader] of readers.entries()) {
    await until(`reader ${n} is told of each step`, () => reader.of(clip).length >= whole.length);
    t.same([...reader.of(clip)].sort(), whole, `reader ${n}: of each step, once`);
    t.equal(reader.of(clip)[0], "received", "the first one first");
  }
  const opened = await handler.call("POST", "/api/v1/cases", { number: "测试〔2026〕1号" });
  const binding = { clipId: clip, evidencePurpose: "证明现场情况" };
  const { id: caseId } = opened.json<{ id: string }>();
  t.equal((await handler.call("POST", `/api/v1/cases/${caseId}/bindings`, binding)).status, 201);
  for (const reader of readers) await until("it is bound", () => reader.of(clip).includes("bound"));
  t.same(readers[1].events, readers[0].events, "both processes tell the same, with the same ids");
  t.same(readers[2].events, readers[0].events, "and so to everybody of the organization");
  const [, first] = readers[0].events;
  t.match(first, { event: "clip", id: /^\d+$/, data: { clipId: clip, what: "received", at: /^2\d{3}-.*Z$/ } });
  t.same(Object.keys(first?.data ?? {}).sort(), ["at", "clipId", "what"], "and nothing that lists show");

  const late = await EventReader.open(t, there, handler, { lastEventId: first?.id });
  await until("it is told what it missed", () => late.events.length >= readers[0].events.length - 2);
  t.same(late.events, readers[0].events.slice(2), "whoever comes again goes on where it was, at the other process too");
  const last = readers[0].events.at(-1)?.id ?? "";
  const upToDate = await EventReader.open(t, here, handler, { lastEventId: last });
  const fromElsewhere = await EventReader.open(t, here, supervisor, { lastEventId: "999999999" });
  await until("it is told to ask anew", () => fromElsewhere.events.length > 0);
  t.match(fromElsewhere.events, [{ event: "reload", data: {} }], "an id of a log that is not there");
  for (const id of ["x", "-1", "1.5", "9".repeat(16)]) {
    const answer = await handler.with(`last-event-id: ${id}`).call("GET", "/api/v1/events");
    refusedWith(t, answer, 400, "malformed-field", `Last-Event-ID ${id}`);
  }
  refusedWith(t, await handler.call("GET", "/api/v1/events?since=1"), 400, "unknown-field", "a query");

  const cut = await sql<{ cut: boolean }>`
    SELECT pg_terminate_backend(pid) AS cut FROM pg_stat_activity
    WHERE application_name = 'dockseal listener' AND datname = current_database()`.execute(stack.db);
  t.equal(cut.rows.length, 2, "each process listens on one connection of its own");
  const another = await send(there);
  for (const reader of [...readers, late, upToDate, fromElsewhere]) {
    await until("it is told in spite of the cut", () => reader.of(another).length >= whole.length);
    t.same([...reader.of(another)].sort(), whole, "of each step, once");
  }
  t.equal(upToDate.events[0]?.data["clipId"], another, "who had missed nothing is told nothing twice");
  await until("the stream gives a sign of life", () => strangers.comments.length > 0);
  t.equal(strangers.events.length, 1, "another organization is told nothing of all this");
  await until("its place goes on with the log all the same", () => Number(strangers.lastEventId) > Number(last));

  t.equal((await handler.call("DELETE", "/api/v1/session")).status, 204);
  for (const reader of [readers[0], readers[1], late, upToDate]) {
    await reader.ended;
    t.match(reader.events.at(-1), { event: "end", data: { reason: "session-ended" } }, "signing out ends the streams");
  }
  refusedWith(t, await handler.call("GET", "/api/v1/events"), 401, "authentication-required", "after signing out");

  await second.stop();
  await readers[2].ended;
  t.match(readers[2].events.at(-1), { event: "end", data: { reason: "stopping" } }, "a stop ends the streams");
  t.notMatch(await second.log(), /"level":(50|60)/, "and nothing went wrong");
  const third = await send(here);
  await until("others are told on", () => fromElsewhere.of(third).length >= whole.length);
});

t.test("one session has so many streams at once, and gives them back", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", withoutWorker: true });
  const [auditor, administrator] = [await Caller.person(stack, "auditor"), await Caller.person(stack, "administrator")];
  const opened = [];
  for (let n = 0; n < 8; n += 1) opened.push(await EventReader.open(t, stack.url, auditor));
  const refused = await auditor.call("GET", "/api/v1/events");
  refusedWith(t, refused, 503, "too-many-streams", "the ninth");
  t.match(header(refused, "retry-after"), /^\d+$/);
  await EventReader.open(t, stack.url, administrator);
  opened[0]?.close();
  await until("one that is closed makes room", () =>
    EventReader.open(t, stack.url, auditor).then(
      () => true,
      () => false,
    ),
  );
  t.equal((await auditor.call("HEAD", "/api/v1/events")).status, 200, "HEAD opens none");
  await sql`UPDATE session SET expires_at = clock_timestamp() FROM person
    WHERE person.id = person_id AND sign_in_name = ${stack.party.people.auditor.name}`.execute(stack.db);
  await opened[1]?.ended;
  t.match(opened[1]?.events.at(-1), { event: "end" }, "a session that ran out ends them too");
});
