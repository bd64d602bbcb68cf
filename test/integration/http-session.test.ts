import { request } from "node:http";
import { sql } from "kysely";
import t from "tap";
import { newId } from "#kernel";
import { Caller } from "../support/api.ts";
import { type CurlAnswer, curl, someMetadata } from "../support/curl.ts";
import { header, RawUpload, refusedWith } from "../support/refusals.ts";
import { startStack } from "../support/stack.ts";

t.test("sessions: how the cookie is kept, and when it ends", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", withoutWorker: true });
  const secure = await startStack(t, {
    store: "filesystem",
    queue: "postgres",
    withoutWorker: true,
    databaseUrl: stack.databaseUrl,
    variables: {
      DOCKSEAL_SECURE_COOKIES: "yes",
      DOCKSEAL_SESSION_HOURS: "1",
      DOCKSEAL_KEYS_DIR: `${stack.directory}/keys`,
    },
  });
  const { name, password } = stack.party.people.handler;
  for (const [which, isSecure] of [
    [stack, false],
    [secure, true],
  ] as const) {
    const answer = await Caller.nobody(which).call("POST", "/api/v1/session", { name, password });
    t.equal(answer.status, 201, "signed in");
    const cookie = header(answer, "set-cookie") ?? "";
    t.match(cookie, /^dockseal_session=dss_[\w-]{43};/, "a random token");
    t.match(cookie, /; HttpOnly/i, "that no script can read");
    t.match(cookie, /; SameSite=Strict/i, "that other sites cannot use");
    t.match(cookie, /; Path=\//i);
    t.match(cookie, /; Expires=/i, "that ends with the session");
    t.equal(/; Secure/i.test(cookie), isSecure, `Secure: ${isSecure}`);
    t.notMatch(answer.body, /dss_|password/i, "the token stands in the cookie only");
    t.match(answer.json(), { displayName: "handler", role: "handler", organizationName: /^甲局 / });
  }

  const mistakes: [what: string, body: unknown][] = [
    ["a wrong password", { name, password: "wrong horse battery staple" }],
    ["a name that nobody has", { name: "nobody", password }],
  ];
  const told: CurlAnswer[] = [];
  for (const [what, body] of mistakes) {
    const answer = await Caller.nobody(stack).call("POST", "/api/v1/session", body);
    refusedWith(t, answer, 401, "sign-in-failed", what);
    t.notOk(header(answer, "set-cookie"), "no cookie");
    told.push(answer);
  }
  const [first, second] = told.map((answer) => ({ ...answer.json<object>(), requestId: "" }));
  t.same(first, second, "an answer does not tell whether the name is known");

  const gone = async (caller: Caller, what: string) =>
    refusedWith(t, await caller.call("GET", "/api/v1/session"), 401, "authentication-required", what);
  const signedOut = await Caller.person(stack, "handler");
  const over = await signedOut.call("DELETE", "/api/v1/session");
  t.equal(over.status, 204, "signed out");
  t.match(header(over, "set-cookie"), /dockseal_session=;.*Expires=Thu, 01 Jan 1970/i, "the cookie is taken back");
  await gone(signedOut, "after signing out");

  const expired = await Caller.person(stack, "auditor");
  await sql`UPDATE session SET expires_at = clock_timestamp() FROM person
    WHERE person.id = person_id AND sign_in_name = ${stack.party.people.auditor.name}`.execute(stack.db);
  await gone(expired, "after its time");
  const disabled = await Caller.person(stack, "supervisor");
  await sql`UPDATE person SET disabled_at = clock_timestamp()
    WHERE sign_in_name = ${stack.party.people.supervisor.name}`.execute(stack.db);
  await gone(disabled, "of a person who was disabled");
  const again = { name: stack.party.people.supervisor.name, password: stack.party.people.supervisor.password };
  const refused = await Caller.nobody(stack).call("POST", "/api/v1/session", again);
  refusedWith(t, refused, 401, "sign-in-failed", "a disabled person");
  await gone(new Caller(stack.url, ["cookie: dockseal_session=dss_guessed"]), "a guessed token");

  const { rows } = await sql<{ token: Buffer }>`SELECT token_hash AS token FROM session`.execute(stack.db);
  t.ok(rows.length > 0 && rows.every((row) => row.token.length === 32), "the database holds hashes of tokens only");

  let limited: CurlAnswer | undefined;
  for (let attempt = 0; attempt < 25 && limited === undefined; attempt += 1) {
    const answer = await Caller.nobody(stack).call("POST", "/api/v1/session", { name: "x", password: "y" });
    if (answer.status === 429) limited = answer;
  }
  t.ok(limited, "guessing is slowed down");
  if (limited !== undefined) {
    refusedWith(t, limited, 429, "too-many-requests", "too many attempts");
    t.match(Number(header(limited, "retry-after")), Number, "it says when to come again");
    t.ok(Number(header(limited, "retry-after")) > 0, "in seconds");
  }
});

t.test("what the API does not know, it says in a problem document", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", withoutWorker: true });
  const { url } = stack;
  const person = await Caller.person(stack, "administrator");
  const nobody = Caller.nobody(stack);
  const json = ["-H", "content-type: application/json"];
  const id = newId();
  const longName = "x".repeat(300);
  const cases: [what: string, answer: CurlAnswer, status: number, code: Parameters<typeof refusedWith>[3]][] = [
    ["an unknown route", await nobody.call("GET", "/nowhere"), 404, "not-found"],
    ["an unknown API route", await nobody.call("GET", "/api/v1/nowhere"), 404, "not-found"],
    ["an unknown method", await person.call("PUT", "/api/v1/cases", {}), 404, "not-found"],
    ["a broken escape", await person.call("GET", "/api/v1/clips/%zz"), 400, "malformed-request"],
    ["an id that is too long", await person.call("GET", `/api/v1/clips/${longName}`), 400, "malformed-request"],
    ["an id that is none", await person.call("GET", "/api/v1/clips/1"), 400, "malformed-field"],
    ["an id in capitals", await person.call("GET", `/api/v1/clips/${id.toUpperCase()}`), 400, "malformed-field"],
    ["an id with U+0000", await person.call("GET", "/api/v1/clips/%00"), 400, "malformed-field"],
    ["an id of nothing", await person.call("GET", `/api/v1/clips/${id}`), 404, "not-found"],
    ["an unknown query", await person.call("GET", "/api/v1/clips?colour=red"), 400, "unknown-field"],
    ["a query out of bounds", await person.call("GET", "/api/v1/clips?limit=201"), 400, "malformed-field"],
    ["a query that is no number", await person.call("GET", "/api/v1/clips?limit=1e1"), 400, "malformed-field"],
    ["a query twice", await person.call("GET", "/api/v1/clips?limit=1&limit=2"), 400, "malformed-field"],
    ["a query with U+0000", await person.call("GET", "/api/v1/cases?number=%00"), 400, "malformed-field"],
    ["a cursor that is none", await person.call("GET", "/api/v1/clips?cursor=abc"), 400, "malformed-field"],
    [
      "a cursor of a time that is none",
      await person.call(
        "GET",
        `/api/v1/clips?cursor=${Buffer.from(`2026-02-30T10:00:00Z ${id}`).toString("base64url")}`,
      ),
      400,
      "malformed-field",
    ],
    ["an unknown field", await person.call("POST", "/api/v1/cases", { number: "1", x: 1 }), 400, "unknown-field"],
    ["a missing field", await person.call("POST", "/api/v1/cases", {}), 400, "malformed-field"],
    ["a number for a string", await person.call("POST", "/api/v1/cases", { number: 1 }), 400, "malformed-field"],
    ["null for a string", await person.call("POST", "/api/v1/cases", { number: null }), 400, "malformed-field"],
    ["U+0000 in a string", await person.call("POST", "/api/v1/cases", { number: "a\0" }), 400, "malformed-field"],
    ["an array", await person.call("POST", "/api/v1/cases", []), 400, "malformed-field"],
    [
      "half a surrogate pair",
      await person.call("POST", "/api/v1/cases", undefined, ...json, "-d", '{"number":"\\ud800"}'),
      400,
      "malformed-field",
    ],
    ["no JSON", await person.call("POST", "/api/v1/cases", undefined, ...json, "-d", "{"), 400, "malformed-request"],
    ["an empty body", await person.call("POST", "/api/v1/cases", undefined, ...json), 400, "malformed-request"],
    ["no body", await person.call("POST", "/api/v1/cases"), 400, "malformed-field"],
    [
      "__proto__",
      await person.call("POST", "/api/v1/cases", undefined, ...json, "-d", '{"number":"1","__proto__":{}}'),
      400,
      "malformed-request",
    ],
    [
      "a form for JSON",
      await person.call("POST", "/api/v1/cases", undefined, "-d", "number=1"),
      415,
      "unsupported-media-type",
    ],
    [
      "text for JSON",
      await person.call("POST", "/api/v1/cases", undefined, "-H", "content-type: text/plain", "-d", "{}"),
      415,
      "unsupported-media-type",
    ],
    [
      "a multipart form for JSON",
      await person.call("POST", "/api/v1/cases", undefined, "-F", `metadata=${JSON.stringify(someMetadata)}`),
      400,
      "malformed-field",
    ],
    [
      "a short password",
      await person.call("POST", "/api/v1/people", {
        ...{ signInName: "n", displayName: "d", role: "handler", password: "short" },
      }),
      400,
      "malformed-field",
    ],
    [
      "an unknown role",
      await person.call("POST", "/api/v1/people", {
        ...{ signInName: "n", displayName: "d", role: "root", password: "long enough it is" },
      }),
      400,
      "malformed-field",
    ],
    [
      "a name that is taken",
      await person.call("POST", "/api/v1/people", {
        ...{ signInName: stack.party.people.handler.name, displayName: "d", role: "handler" },
        password: "long enough it is",
      }),
      409,
      "conflict",
    ],
  ];
  for (const [what, answer, status, code] of cases) refusedWith(t, answer, status, code, what);

  const large = await new Promise<number>((resolve, reject) => {
    const headers = Object.fromEntries(
      person.headers.filter((_, at) => at % 2 === 1).map((line) => line.split(/: (.*)/s).slice(0, 2)),
    );
    const outgoing = request(`${url}/api/v1/cases`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
    });
    outgoing.on("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    outgoing.on("error", reject);
    outgoing.end(JSON.stringify({ number: "x".repeat(2_000_000) }));
  });
  t.equal(large, 413, "a JSON body over 1 MiB");

  const headers = await RawUpload.open(url);
  await headers.send(`GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: ${"x".repeat(200_000)}\r\n\r\n`);
  t.equal((await headers.answer())?.status, 431, "headers without end are refused");
  headers.destroy();

  const ready = await curl(`${url}/readyz`);
  t.equal(ready.status, 200);
  t.match(ready.json(), { ready: true, database: { ok: true }, store: { ok: true, detail: "filesystem" } });
  t.same((await curl(`${url}/healthz`)).json(), { ok: true });
  const metrics = await curl(`${url}/metrics`);
  t.match(metrics.body, /^dockseal_http_request_seconds_count\{operation="cases.open",status="400"\} \d+$/m);
  t.match(metrics.body, /^dockseal_log_entries\{part="sequenced"\} \d+$/m);
  t.equal((await curl("-L", `${url}/api/docs`)).status, 200, "the page of the API");
  t.match((await curl(`${url}/log/key`)).body, /^dockseal\.local\/log\+[0-9a-f]{8}\+[\w+/=]+\n$/, "the log's key");
  refusedWith(t, await curl(`${url}/log/checkpoint`), 404, "not-found", "the checkpoint of a log without entries");
  for (const path of ["/healthz", "/nowhere", "/api/openapi.json"]) {
    const answer = await curl("-H", "x-request-id: mine", `${url}${path}`);
    t.match(header(answer, "x-request-id"), /^[0-9a-f]{8}-[0-9a-f-]{27}$/, `${path}: an id of ours, not the caller's`);
    t.equal(header(answer, "x-content-type-options"), "nosniff", `${path}: nothing is guessed`);
  }
  const log = await stack.serve.log();
  t.notMatch(log, /dss_|dst_|csrf_|battery staple/, "no secret is in the log");
});
