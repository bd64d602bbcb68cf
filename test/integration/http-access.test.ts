import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { newId } from "#kernel";
import { Caller } from "../support/api.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { EventReader } from "../support/event-stream.ts";
import { header, refusedWith } from "../support/refusals.ts";
import { startStack } from "../support/stack.ts";

const actors = ["nobody", "station", "handler", "supervisor", "auditor", "administrator"] as const;
type Actor = (typeof actors)[number];

const everybody: readonly Actor[] = actors;
const people: readonly Actor[] = ["handler", "supervisor", "auditor", "administrator"];
const stationAndPeople: readonly Actor[] = ["station", ...people];
const handlers: readonly Actor[] = ["handler", "administrator"];
const administrator: readonly Actor[] = ["administrator"];

/** Who may call what. A route that does not stand here fails the test: somebody has to decide. */
const allowed: Readonly<Record<string, readonly Actor[]>> = {
  "POST /api/v1/clips": ["station"],
  "PUT /api/v1/clips/raw": ["station"],
  "OPTIONS /api/v1/uploads": ["station"],
  "GET /api/v1/uploads": people,
  "POST /api/v1/uploads": ["station"],
  "PATCH /api/v1/uploads/{id}": ["station"],
  "DELETE /api/v1/uploads/{id}": ["station"],
  "POST /api/v1/uploads/{id}/complete": ["station"],
  "GET /api/v1/clips": stationAndPeople,
  "GET /api/v1/events": people,
  "GET /api/v1/clips/{id}": stationAndPeople,
  "POST /api/v1/clips/{id}/viewings": people,
  "GET /api/v1/clips/{id}/original": people,
  "GET /api/v1/clips/{id}/playback": people,
  "GET /api/v1/clips/{id}/poster": people,
  "GET /api/v1/clips/{id}/sprite": people,
  "GET /api/v1/clips/{id}/waveform": people,
  "GET /api/v1/clips/{id}/custody": people,
  "GET /api/v1/clips/{id}/custody/{eventId}/proof": people,
  "GET /api/v1/clips/{id}/receipt": stationAndPeople,
  "GET /api/v1/clips/{id}/bundle": stationAndPeople,
  "POST /api/v1/cases/{id}/exports": people,
  "POST /api/v1/clips/{id}/exports": people,
  "GET /api/v1/cases/{id}/exports": people,
  "GET /api/v1/clips/{id}/exports": people,
  "GET /api/v1/exports/{id}": people,
  "GET /api/v1/exports/{id}/bag": people,
  "POST /api/v1/clips/{id}/verify": people,
  "POST /api/v1/clips/{id}/source-wiped": ["station"],
  "GET /api/v1/clock": ["station"],
  "POST /api/v1/cases": handlers,
  "GET /api/v1/cases": people,
  "GET /api/v1/cases/{id}": people,
  "POST /api/v1/cases/{id}/bindings": handlers,
  "POST /api/v1/cases/{id}/documents": handlers,
  "PATCH /api/v1/bindings/{id}": handlers,
  "GET /api/v1/bindings/suggestions": handlers,
  "POST /api/v1/audits": ["supervisor", "auditor", "administrator"],
  "GET /api/v1/audits": ["supervisor", "auditor", "administrator"],
  "GET /api/v1/audits/{id}": ["supervisor", "auditor", "administrator"],
  "GET /api/v1/overview": people,
  "GET /api/v1/alarms": ["supervisor", "auditor", "administrator"],
  "GET /api/v1/recorders": people,
  "GET /api/v1/recorders/{serial}": people,
  "POST /api/v1/recorders/{serial}/manifests": ["station"],
  "GET /api/v1/recordings": people,
  "GET /api/v1/recordings/{id}": people,
  "GET /api/v1/findings": people,
  "POST /api/v1/findings/{id}/acknowledge": ["supervisor", "administrator"],
  "GET /api/v1/recording-limits": people,
  "PUT /api/v1/recording-limits": administrator,
  "POST /api/v1/session": everybody,
  "GET /api/v1/session": people,
  "DELETE /api/v1/session": people,
  "GET /api/v1/people": administrator,
  "POST /api/v1/people": administrator,
  "GET /api/v1/stations": ["supervisor", "auditor", "administrator"],
  "POST /api/v1/stations": administrator,
  "POST /api/v1/stations/{id}/tokens": administrator,
  "DELETE /api/v1/stations/{id}/tokens": administrator,
  "POST /api/v1/stations/{id}/gateway-key": administrator,
  "DELETE /api/v1/stations/{id}/gateway-key": administrator,
  "GET /api/v1/stations/{id}/announcements": ["supervisor", "auditor", "administrator"],
  "GET /api/v1/stations/{id}/recorders": ["supervisor", "auditor", "administrator"],
  "GET /log/checkpoint": everybody,
  "GET /log/key": everybody,
  "GET /log/trusted_root.json": everybody,
  "GET /log/seal-key": everybody,
  "GET /log/tile/{*}": everybody,
  "GET /log/proof/{index}": everybody,
  "GET /log/ct/v1/get-sth": everybody,
  "GET /log/ct/v1/get-sth-consistency": everybody,
  "GET /log/ct/v1/get-proof-by-hash": everybody,
  "GET /log/ct/v1/get-entries": everybody,
  "GET /log/ct/v1/get-roots": everybody,
  "GET /log/ct/v1/get-entry-and-proof": everybody,
  "GET /log/ct/log-list.json": everybody,
  "GET /healthz": everybody,
  "GET /readyz": everybody,
  "GET /metrics": everybody,
};

/** A stream has no end: of one that is opened only its head is looked at. */
const streams = ["GET /api/v1/events"];

interface Operation {
  readonly summary?: string;
  readonly tags?: readonly string[];
}

t.test("every route lets in those who are named for it and nobody else", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", withoutWorker: true });
  const document = (await Caller.nobody(stack).call("GET", "/api/openapi.json")).json<{
    openapi: string;
    paths: Record<string, Record<string, Operation>>;
    tags: { name: string }[];
  }>();
  t.match(document.openapi, /^3\.1\./, "the document is OpenAPI 3.1");
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
  );
  t.same(operations.map(({ name }) => name).sort(), Object.keys(allowed).sort(), "this table has every route");
  const tags = new Set(document.tags.map((tag) => tag.name));
  for (const { name, operation } of operations) {
    t.ok((operation.summary ?? "").length > 5, `${name} has a summary`);
    t.ok(operation.tags?.length === 1 && tags.has(operation.tags[0] ?? ""), `${name} has one tag that is described`);
  }

  const closed = await Caller.nobody(stack).call("GET", "/v3/ping");
  refusedWith(t, closed, 404, "not-found", "the gateway is not there unless it is switched on");

  const callers: Record<Actor, Caller> = {
    nobody: Caller.nobody(stack),
    station: Caller.station(stack),
    handler: await Caller.person(stack, "handler"),
    supervisor: await Caller.person(stack, "supervisor"),
    auditor: await Caller.person(stack, "auditor"),
    administrator: await Caller.person(stack, "administrator"),
  };
  // Signing out comes last: it ends the sessions that the others need.
  const last = "DELETE /api/v1/session";
  const names = [...Object.keys(allowed).filter((name) => name !== last), last];
  for (const name of names) {
    const [method = "", pattern = ""] = name.split(" ");
    const path = pattern.replace(/\{[^}]*\}/g, () => newId());
    const change = !["GET", "HEAD"].includes(method);
    for (const actor of actors) {
      const body = method === "DELETE" ? undefined : {};
      const isOpened = streams.includes(name) && allowed[name]?.includes(actor) === true;
      const answer = isOpened
        ? (await EventReader.open(t, stack.url, callers[actor])).answer
        : await callers[actor].call(method, path, change ? body : undefined);
      const what = `${name} by ${actor}`;
      if (allowed[name]?.includes(actor) === true) {
        t.notOk([401, 403, 500].includes(answer.status), `${what}: let in (${answer.status})`);
        if (change && people.includes(actor) && name !== "POST /api/v1/session" && name !== last) {
          const forged = await callers[actor].without("x-csrf-token").call(method, path, body);
          refusedWith(t, forged, 403, "csrf-token-missing", `${what} without the CSRF token`);
          const guessed = callers[actor].without("x-csrf-token").with("x-csrf-token: csrf_guessed");
          refusedWith(t, await guessed.call(method, path, body), 403, "csrf-token-missing", `${what} with a wrong one`);
        }
      } else if (actor === "nobody") {
        refusedWith(t, answer, 401, "authentication-required", what);
        t.match(answer.headers, /^www-authenticate: Bearer/im, `${what}: told how`);
      } else {
        refusedWith(t, answer, 403, "forbidden", what);
      }
      if (method === "GET") {
        const head = await callers[actor].call("HEAD", path);
        t.equal(head.status, answer.status, `HEAD ${path} by ${actor} as GET`);
      }
    }
  }
  for (const actor of people) {
    refusedWith(
      t,
      await callers[actor].call("GET", "/api/v1/session"),
      401,
      "authentication-required",
      `${actor} after signing out`,
    );
  }
});

t.test("what belongs to another organization is not there, on every route with an id", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", withoutWorker: true });
  const file = join(stack.directory, "clip.bin");
  await writeFile(file, "the other side's footage");
  const ours = await Caller.person(stack, "administrator");
  const clip = (await sendClip(stack.url, stack.party.token, file, someMetadata)).json<{ id: string }>();
  const file1 = (await ours.call("POST", "/api/v1/cases", { number: "1" })).json<{ id: string }>();
  const binding = { clipId: clip.id, evidencePurpose: "p", capturePlace: "here" };
  const bound = (await ours.call("POST", `/api/v1/cases/${file1.id}/bindings`, binding)).json<{ id: string }>();
  const theirs = await Caller.person(stack, "administrator", stack.otherParty);
  const theirStation = Caller.station(stack, stack.otherParty);
  const theirCase = (await theirs.call("POST", "/api/v1/cases", { number: "1" })).json<{ id: string }>();
  t.ok(theirCase.id, "two organizations may use the same case number");
  await writeFile(file, "their own footage");
  const theirMetadata = { ...someMetadata, recorderSerial: "THEIRS" };
  const theirClip = (await sendClip(stack.url, stack.otherParty.token, file, theirMetadata)).json<{ id: string }>();

  const audit = { id: newId(), kind: "manual", state: "waiting", organizationId: stack.party.organizationId };
  await stack.db
    .insertInto("fixityRun")
    .values({ ...audit, dueAt: new Date().toISOString() })
    .execute();
  const organizationId = stack.party.organizationId;
  const { id: requestedBy } = await stack.db
    .selectFrom("person")
    .select("id")
    .where("organizationId", "=", organizationId)
    .limit(1)
    .executeTakeFirstOrThrow();
  const ourExport = { id: newId(), organizationId, caseId: file1.id, requestedBy };
  await stack.db.insertInto("export").values(ourExport).execute();
  const { id: eventId } = await stack.db
    .selectFrom("custodyEvent")
    .select("id")
    .where("clipId", "=", clip.id)
    .limit(1)
    .executeTakeFirstOrThrow();
  const { id: recorderId } = await stack.db
    .selectFrom("recorder")
    .select("id")
    .where("organizationId", "=", organizationId)
    .executeTakeFirstOrThrow();
  const ofRecorder = { recorderId, organizationId };
  await stack.db
    .insertInto("recording")
    .values({ id: clip.id, ...ofRecorder, segmentCount: 1 })
    .execute();
  const finding = { id: newId(), ...ofRecorder, kind: "overlap", subject: "clip x", detail: "d", evidence: "{}" };
  await stack.db.insertInto("recorderFinding").values(finding).execute();
  const ids: Record<string, string> = {
    recordings: clip.id,
    findings: finding.id,
    exports: ourExport.id,
    clips: clip.id,
    cases: file1.id,
    bindings: bound.id,
    stations: stack.party.stationId,
    audits: audit.id,
  };
  const metadata = Buffer.from(JSON.stringify(someMetadata)).toString("base64");
  const begun = await Caller.station(stack).call(
    ...(["POST", "/api/v1/uploads", undefined, "-H", "tus-resumable: 1.0.0", "-H", "upload-length: 5"] as const),
    ...["-H", `upload-metadata: metadata ${metadata}`],
  );
  t.equal(begun.status, 201);
  const upload = header(begun, "location")?.replace(/^.*(?=\/api\/)/, "") ?? "";
  const piece = [
    "-H",
    "content-type: application/offset+octet-stream",
    "-H",
    "upload-offset: 0",
    "--data-raw",
    "bytes",
  ];
  for (const method of ["HEAD", "PATCH", "DELETE"] as const) {
    const more = ["-H", "tus-resumable: 1.0.0", ...(method === "PATCH" ? piece : [])];
    for (const [who, status] of [
      [theirStation, 404],
      [Caller.nobody(stack), 401],
      [ours, 403],
    ] as const) {
      const answer = await who.call(method, upload, undefined, ...more);
      t.equal(answer.status, status, `${method} of our upload: ${status}`);
    }
  }
  refusedWith(t, await theirStation.call("POST", `${upload}/complete`), 404, "not-found", "the clip of our upload");
  const withIds = Object.keys(allowed).filter((route) => route.includes("{id}") && !route.includes("/uploads/"));
  for (const name of withIds) {
    const [method = "", pattern = ""] = name.split(" ");
    const path = pattern.replace("{id}", ids[pattern.split("/")[3] ?? ""] ?? "").replace("{eventId}", eventId);
    const bodies: Record<string, unknown> = {
      "POST /api/v1/cases/{id}/bindings": { ...binding, clipId: theirClip.id },
      "PATCH /api/v1/bindings/{id}": { reason: "r", evidencePurpose: "changed" },
      "POST /api/v1/findings/{id}/acknowledge": { reason: "r" },
      "POST /api/v1/clips/{id}/viewings": { purpose: "p" },
    };
    const body = method === "GET" || method === "DELETE" ? undefined : (bodies[name] ?? {});
    const ifMatch = ["-H", 'if-match: "1"'];
    if (allowed[name]?.includes("administrator") === true) {
      refusedWith(t, await theirs.call(method, path, body, ...ifMatch), 404, "not-found", `${name} of ours by them`);
    }
    if (allowed[name]?.includes("station") === true) {
      refusedWith(t, await theirStation.call(method, path), 404, "not-found", `${name} of ours by their station`);
    }
  }
  const mixed = [
    await theirs.call("POST", `/api/v1/cases/${theirCase.id}/bindings`, binding),
    await theirs.call("POST", `/api/v1/cases/${file1.id}/bindings`, { ...binding, clipId: theirClip.id }),
  ];
  for (const answer of mixed) refusedWith(t, answer, 404, "not-found", "a binding across organizations");
  const theirBinding = (
    await theirs.call("POST", `/api/v1/cases/${theirCase.id}/bindings`, { ...binding, clipId: theirClip.id })
  ).json<{ id: string }>();
  const moved = await theirs.call(
    ...(["PATCH", `/api/v1/bindings/${theirBinding.id}`, { reason: "r", caseId: file1.id }] as const),
    ...["-H", 'if-match: "1"'],
  );
  refusedWith(t, moved, 404, "not-found", "a binding moved into a case of another organization");
  const page = await theirs.call("GET", `/api/v1/recorders/${someMetadata.recorderSerial}`);
  refusedWith(t, page, 404, "not-found", "our recorder's page");
  const manifest = { readAt: "2026-11-21T09:30:00Z", entries: [] };
  refusedWith(
    t,
    await theirStation.call("POST", `/api/v1/recorders/${someMetadata.recorderSerial}/manifests`, manifest),
    403,
    "other-organization",
    "a manifest of our recorder by their station",
  );
  for (const list of ["recordings", "findings", `findings?recorder=${someMetadata.recorderSerial}`]) {
    t.same((await theirs.call("GET", `/api/v1/${list}`)).json(), { items: [] }, `${list}: nothing of ours`);
  }
  for (const path of [..."clips cases people stations recorders".split(" ")].map((name) => `/api/v1/${name}`)) {
    const { items } = (await theirs.call("GET", path)).json<{ items: { organizationId: string }[] }>();
    t.ok(items.length > 0, `${path}: they see their own`);
    for (const item of items) t.equal(item.organizationId, stack.otherParty.organizationId, `${path}: and only that`);
  }
  const byDigest = await theirs.call("GET", `/api/v1/clips?case=${file1.id}`);
  t.same(byDigest.json(), { items: [] }, "a list by our case shows them nothing");
});
