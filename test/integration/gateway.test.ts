import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { newId } from "#kernel";
import { Caller } from "../support/api.ts";
import { type CurlAnswer, curl } from "../support/curl.ts";
import { OldStation, type Told } from "../support/old-station.ts";
import { header, Traces } from "../support/refusals.ts";
import { startStack } from "../support/stack.ts";

/** Checks that an answer is a refusal in the dialect's form. */
function refused(t: Test, answer: CurlAnswer, status: number, code: string, what: string): void {
  t.equal(answer.status, status, `${what}: ${status}${answer.status === status ? "" : ` ${answer.body}`}`);
  const told = answer.json<Told>();
  t.equal(told.code, status, `${what}: its code is not 0`);
  t.match(told.message, new RegExp(`^${code}: `), `${what}: ${code}`);
}

const open = ["GET /v3/ping"];
const guarded = [
  ...[
    "POST /v3/wsinfo/heartbeat",
    "POST /v3/fileinfo",
    "PUT /v3/file/n",
    "POST /v3/file/n",
    "GET /v3/can_delete_files",
  ],
  ...["POST /v3/notify_file_deleted", "POST /v3/dsjinfo", "POST /v3/log/dsjlog", "POST /v3/log/dsjlogfile"],
  ...["POST /v3/log/wslog", "POST /v3/log/gpslog", "GET /v3/suborg", "GET /v3/userinfo"],
];

t.test(
  "behind the gateway comes only who has a key, from its address, at its rate, and what is refused leaves nothing",
  async (t) => {
    const variables = {
      ...{ DOCKSEAL_GATEWAY: "yes", DOCKSEAL_TRUST_PROXY: "127.0.0.1", DOCKSEAL_GATEWAY_REQUESTS_PER_MINUTE: "150" },
      ...{ DOCKSEAL_MAX_CLIP_BYTES: "1000000", DOCKSEAL_LOG_LEVEL: "trace" },
    };
    const stack = await startStack(t, { store: "filesystem", queue: "postgres", variables, withoutWorker: true });
    const traces = await Traces.of(t, stack);
    const administrator = await Caller.person(stack, "administrator");
    const keys: string[] = [];
    const issue = async (addresses: string[], party = stack.party): Promise<string> => {
      const caller = party === stack.party ? administrator : await Caller.person(stack, "administrator", party);
      const answer = await caller.call("POST", `/api/v1/stations/${party.stationId}/gateway-key`, { addresses });
      t.equal(answer.status, 201, answer.body);
      const { key } = answer.json<{ key: string }>();
      keys.push(key);
      return key;
    };
    const here = ["x-forwarded-for: 10.3.0.17"];
    const station = await OldStation.of(stack, await issue(["10.3.0.0/24"]), { headers: here });
    const file = join(stack.directory, "clip.bin");
    const bytes = randomBytes(5000);
    await writeFile(file, bytes);

    await t.test("who may speak", async (t) => {
      const otherKey = await issue(["10.0.0.0/8"], stack.otherParty);
      const wrong = new OldStation(stack.url, station.number, "wrong", here);
      const borrowed = new OldStation(stack.url, station.number, otherKey, here);
      for (const route of guarded) {
        const [method = "", path = ""] = route.split(" ");
        const body = method === "GET" ? undefined : {};
        const bare = await curl("-X", method, "-H", here[0] ?? "", `${stack.url}${path}`);
        refused(t, bare, 401, "gateway-key-refused", `${route} without a key`);
        refused(t, await wrong.call(method, path, body), 401, "gateway-key-refused", `${route} with a wrong key`);
        refused(t, await borrowed.call(method, path, body), 401, "gateway-key-refused", `${route} with another's key`);
      }
      for (const route of open) t.equal((await curl(`${stack.url}${route.split(" ")[1]}`)).status, 200, route);
      const twice = await curl("-H", here[0] ?? "", `${station.address("/v3/suborg")}&authkey=x`);
      refused(t, twice, 401, "gateway-key-refused", "two keys");
      const token = ["-H", `authorization: Bearer ${stack.party.token}`];
      refused(
        t,
        await wrong.call("GET", "/v3/suborg", undefined, ...token),
        401,
        "gateway-key-refused",
        "a token instead",
      );
      const elsewhere = new OldStation(stack.url, station.number, keys[0] ?? "", ["x-forwarded-for: 10.3.1.17"]);
      refused(t, await elsewhere.call("GET", "/v3/suborg"), 403, "source-address-refused", "from another address");
      const direct = new OldStation(stack.url, station.number, keys[0] ?? "");
      refused(t, await direct.call("GET", "/v3/suborg"), 403, "source-address-refused", "from the proxy itself");
      const pretending = new OldStation(stack.url, station.number, keys[0] ?? "", [
        "x-forwarded-for: 10.3.0.17, 10.9.9.9",
      ]);
      refused(
        t,
        await pretending.call("GET", "/v3/suborg"),
        403,
        "source-address-refused",
        "an address that it says itself",
      );
      t.equal((await station.call("GET", "/v3/suborg")).status, 200, "the right key from the right address");
      const { body } = await curl(`${stack.url}/metrics`);
      t.match(body, /dockseal_gateway_refused_total\{code="gateway-key-refused"\} [1-9]/, "wrong keys are counted");
      t.match(body, /dockseal_gateway_refused_total\{code="source-address-refused"\} 3/, "wrong addresses are counted");
    });

    await t.test("what is refused leaves nothing", async (t) => {
      const before = await traces.kept();
      const number = (change: Record<string, unknown>) => station.record(1, bytes.length, change);
      refused(t, await station.send("n-1", file), 404, "not-announced", "bytes of no record");
      for (const [change, code] of [
        [{ cpxh: "" }, "malformed-field"],
        [{ jybh: "名" }, "malformed-field"],
        [{ wjdx: "many" }, "malformed-field"],
        [{ gzz_xh: "1" }, "malformed-field"],
      ] as const) {
        refused(t, await station.call("POST", "/v3/fileinfo", [number(change)]), 400, code, JSON.stringify(change));
        refused(t, await station.sendForm(number(change), file), 400, code, `${JSON.stringify(change)} with bytes`);
      }
      refused(t, await station.call("POST", "/v3/fileinfo", []), 400, "malformed-request", "no record");
      refused(t, await station.call("POST", "/v3/fileinfo", "x"), 400, "malformed-field", "a text");
      refused(
        t,
        await station.call("POST", "/v3/wsinfo/heartbeat", { cczrl: -1 }),
        400,
        "malformed-field",
        "a heartbeat",
      );
      refused(t, await station.call("POST", "/v3/log/gpslog", [1]), 400, "malformed-field", "a log of numbers");
      const json = ["-H", "content-type: application/json", "--data-binary", "{"];
      refused(
        t,
        await station.call("POST", "/v3/dsjinfo", undefined, ...json),
        400,
        "malformed-request",
        "half an object",
      );
      await traces.nothingLeft(t, before, "refusals");

      const mixed = await station.call("POST", "/v3/fileinfo", [station.record(2, 1), number({ cpxh: "" })]);
      refused(t, mixed, 400, "records-refused", "one good and one bad record");
      t.match(mixed.json<Told>().body, { accepted: 1, refused: [{ position: 1 }] }, "the good one is kept");

      const short = station.record(3, bytes.length + 1);
      refused(t, await station.sendForm(short, file), 422, "length-differs", "fewer bytes than announced");
      refused(
        t,
        await station.sendForm(station.record(4, 2_000_000), file),
        413,
        "file-too-large",
        "more than is taken",
      );
      refused(
        t,
        await station.sendForm(station.record(2, 7), file),
        409,
        "file-number-reused",
        "another length, same number",
      );
      const plain = ["-H", "content-type: text/plain"];
      const record = station.record(5, bytes.length);
      const wjbh = String(record["wjbh"]);
      await station.call("POST", "/v3/fileinfo", record);
      refused(
        t,
        await station.call("PUT", `/v3/file/${wjbh}`, undefined, ...plain),
        415,
        "unsupported-media-type",
        "no bytes",
      );
      const wrongDigest = ["-H", `repr-digest: sha-256=:${randomBytes(32).toString("base64")}:`];
      refused(
        t,
        await station.send(wjbh, file, ...wrongDigest),
        422,
        "digest-differs",
        "not the bytes that were meant",
      );
      await traces.nothingLeft(t, before, "refused bytes");
    });

    await t.test("two files at once under one number become one clip, and the other is refused", async (t) => {
      const record = station.record(6, bytes.length, { cpxh: "RACE-1" });
      await station.call("POST", "/v3/fileinfo", record);
      const files = await Promise.all(
        [0, 1, 2, 3].map(async (at) => {
          const path = join(stack.directory, `race-${at}.bin`);
          await writeFile(path, randomBytes(bytes.length));
          return path;
        }),
      );
      const answers = await Promise.all(files.map((path) => station.send(String(record["wjbh"]), path)));
      t.same(answers.map(({ status }) => status).sort(), [200, 409, 409, 409]);
      const clips = await stack.db.selectFrom("clip").select("source").execute();
      t.same(clips, [{ source: "gateway" }], "one clip");
      const kept = await traces.kept();
      t.equal(kept.objects.length, 1, "and the bytes of one");
      t.equal(kept.intents, 0);
    });

    await t.test("a file number is tied to the clip that won", async (t) => {
      const [clip] = await stack.db.selectFrom("clip").select(["id", "sha256"]).execute();
      const won = await stack.db
        .selectFrom("gatewayAnnouncement")
        .select("clipId")
        .where("clipId", "is not", null)
        .execute();
      t.same(won, [{ clipId: clip?.id }]);
    });

    await t.test("logs are kept once, with a digest in the custody log and their text in the database", async (t) => {
      const rows = [{ cpxh: "R-1", jd: "115.98", wd: "36.45", sj: "2026-11-21 09:30:00" }];
      for (let i = 0; i < 2; i += 1) t.equal((await station.call("POST", "/v3/log/gpslog", rows)).status, 200);
      const kept = await stack.db.selectFrom("stationLogRecord").select("record").execute();
      t.same(kept, [{ record: rows[0] }]);
      const events = await stack.db
        .selectFrom("custodyEvent")
        .select("details")
        .where("type", "=", "station.log-received")
        .execute();
      t.equal(events.length, 1);
      t.notMatch(JSON.stringify(events), /115\.98/, "positions are not in the event");
      t.equal((await station.call("POST", "/v3/dsjinfo", { cpxh: "R-1", dl: 80 })).status, 200);
      const path = `/api/v1/stations/${stack.party.stationId}/recorders`;
      t.match((await administrator.call("GET", path)).json(), {
        items: [{ recorderSerial: "R-1", record: { dl: 80 } }],
      });
    });

    await t.test("a station that asks too often is told to wait, and others are not", async (t) => {
      const spare = await issue(["10.3.0.0/24"]);
      const busy = await OldStation.of(stack, spare, { headers: here });
      const many = Array.from({ length: 160 }, () => busy.address("/v3/suborg"));
      const tooMany = async (): Promise<CurlAnswer> => {
        const codes = ["-s", "-o", "/dev/null", "-H", here[0] ?? "", "-w", "%{http_code}\n"];
        await curl(...codes, ...many.flatMap((url, at) => (at === 0 ? [url] : ["-o", "/dev/null", url])));
        return busy.call("GET", "/v3/suborg");
      };
      let last = await tooMany();
      // The minute in which it is counted began with the first request above, and may have ended in between: then in the next.
      if (last.status === 200) last = await tooMany();
      refused(t, last, 429, "too-many-requests", "the last one");
      t.ok(Number(header(last, "retry-after")) > 0, "for how long");
      const other = new OldStation(stack.url, "unknown", "wrong", ["x-forwarded-for: 10.7.0.1"]);
      refused(t, await other.call("GET", "/v3/suborg"), 401, "gateway-key-refused", "another address is looked at");
    });

    await t.test("a revoked key is none", async (t) => {
      const path = `/api/v1/stations/${stack.party.stationId}/gateway-key`;
      t.same((await administrator.call("DELETE", path)).json(), { revoked: 2 });
      refused(t, await station.call("GET", "/v3/suborg"), 401, "gateway-key-refused", "after revocation");
      for (const addresses of [["0.0.0.0/0"], ["everywhere"], []])
        t.equal((await administrator.call("POST", path, { addresses })).status, 400, `not for ${addresses.join()}`);
      const unknown = `/api/v1/stations/${newId()}/gateway-key`;
      t.equal((await administrator.call("POST", unknown, { addresses: ["10.0.0.1"] })).status, 404);
    });

    await t.test("no key is in any log, whatever was wrong with the address", async (t) => {
      const key = keys[0] ?? "";
      const odd = [
        `/v3/%zz?authkey=${key}`,
        `/v3/nothing?authkey=${key}`,
        `/openapi/workstation/v3/suborg?authkey=${key}`,
      ];
      for (const path of odd) t.notOk((await curl("--path-as-is", `${stack.url}${path}`)).body.includes(key), path);
      const log = await stack.serve.log();
      t.ok(log.length > 1000);
      for (const each of keys) t.notOk(log.includes(each), "not in the log");
      const { body } = await curl(`${stack.url}/metrics`);
      for (const each of keys) t.notOk(body.includes(each), "not in the figures");
    });
  },
);
