import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { parseEntryBundle } from "#evidence";
import { Caller } from "../support/api.ts";
import { sendClip } from "../support/curl.ts";
import { allSigned } from "../support/served-log.ts";
import { startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

/** What people put in, and nobody may read out of the log. Each is long enough not to stand anywhere by chance. */
const secrets = {
  recorderSerial: "44030620260000000777",
  collectorNumber: "37159990001234",
  fileName: "朱堂乡刘某某违建现场.mp4",
  capturedAt: "2026-11-21 09:31:47",
  place: "罗山县朱堂乡白马村三组",
  caseNumber: "朱综执立〔2026〕第917号",
  secondCase: "朱综执立〔2026〕第918号",
  title: "刘某某未经许可建房案",
  evidencePurpose: "证明当事人继续施工",
  reason: "采集地点写错，改为四组",
  newPlace: "罗山县朱堂乡白马村四组",
  purpose: "核查对刘某某的投诉",
};

t.test("nothing that the log serves to everybody tells a name, a number, a place or a file", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres" });
  const { url } = stack;
  const file = join(stack.directory, "recording.mp4");
  await writeFile(file, "not a recording, but long enough to be told apart by its digest\n".repeat(40));
  const sent = await sendClip(url, stack.party.token, file, {
    recorderSerial: secrets.recorderSerial,
    collectorNumber: secrets.collectorNumber,
    fileName: secrets.fileName,
    capturedAt: secrets.capturedAt,
    caseNumber: secrets.caseNumber,
    evidencePurpose: secrets.evidencePurpose,
    place: { text: secrets.place },
  });
  t.equal(sent.status, 201, sent.body);
  const { id } = sent.json<{ id: string }>();
  const handler = await Caller.person(stack, "handler");
  const view = await until("the clip is sealed and bound", async () => {
    const clip = (await handler.call("GET", `/api/v1/clips/${id}`)).json<{
      state: string;
      playable: boolean | null;
      bindings: { id: string; caseId: string }[];
    }>();
    return clip.state === "sealed" && clip.playable !== null && clip.bindings.length > 0 && clip;
  });
  const opened = await handler.call("POST", "/api/v1/cases", { number: secrets.secondCase, title: secrets.title });
  t.equal(opened.status, 201, opened.body);
  const [binding] = view.bindings;
  const change = { capturePlace: secrets.newPlace, reason: secrets.reason };
  const corrected = await handler.call("PATCH", `/api/v1/bindings/${binding?.id}`, change, "-H", 'if-match: "1"');
  t.equal(corrected.status, 200, corrected.body);
  await handler.view(id, secrets.purpose);
  t.equal((await handler.call("GET", `/api/v1/clips/${id}/original`)).status, 200);
  const supervisor = await Caller.person(stack, "supervisor");
  t.equal((await supervisor.call("POST", `/api/v1/clips/${id}/verify`)).status, 200);
  const chain = await supervisor.call("GET", `/api/v1/clips/${id}/custody`);
  const { items } = chain.json<{ items: { type: string; actorName: string | null; details: object }[] }>();
  const verified = items.find(({ type }) => type === "clip.verified");
  t.equal(verified?.actorName, "supervisor", "people of the organization read who it was by name");
  t.notMatch(JSON.stringify(verified?.details), /supervisor/, "which is no part of what was recorded");
  t.match(items[0]?.actorName, /^采集站 3715/, "and stations by name and number");
  const size = await allSigned(stack.db);
  t.ok(size >= 8, `${size} entries`);

  const read = async (path: string): Promise<Buffer> => {
    const answer = await fetch(`${url}${path}`);
    const body = Buffer.from(await answer.arrayBuffer());
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${body}`);
    return Buffer.concat([Buffer.from(JSON.stringify([...answer.headers])), Buffer.from("\n"), body]);
  };
  const suffix = size % 256 === 0 ? "" : `.p/${size}`;
  const paths = [
    "/log/checkpoint",
    "/log/key",
    `/log/tile/0/000${suffix}`,
    `/log/tile/entries/000${suffix}`,
    "/log/ct/v1/get-sth",
    "/log/ct/v1/get-roots",
    "/log/ct/log-list.json",
    `/log/ct/v1/get-entries?start=0&end=${size - 1}`,
    `/log/ct/v1/get-sth-consistency?first=1&second=${size}`,
    ...Array.from({ length: size }, (_, index) => `/log/proof/${index}`),
    ...Array.from(
      { length: size },
      (_, index) => `/log/ct/v1/get-entry-and-proof?leaf_index=${index}&tree_size=${size}`,
    ),
  ];
  const answers = new Map<string, Buffer>();
  for (const path of paths) answers.set(path, await read(path));
  const bundle = Buffer.from(await (await fetch(`${url}/log/tile/entries/000${suffix}`)).arrayBuffer());
  const entries = parseEntryBundle(bundle);
  t.equal(entries.length, size, "every entry was walked");
  for (const [index, entry] of entries.entries()) answers.set(`entry ${index}`, entry);

  const people = Object.values(stack.party.people).flatMap(({ name, password }) => [name, password]);
  const { rows } = { rows: await stack.db.selectFrom("organization").select("name").execute() };
  const strings = [...Object.values(secrets), ...people, ...rows.map(({ name }) => name), stack.party.token];
  for (const secret of strings) {
    const forms = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
    const told = [...answers].filter(([, bytes]) =>
      forms.some((form) => [bytes, Buffer.from(bytes.toString(), "base64")].some((place) => place.includes(form))),
    );
    t.same(
      told.map(([path]) => path),
      [],
      `no answer tells ${secret}`,
    );
  }
  const details = await stack.db.selectFrom("custodyEvent").select("details").execute();
  t.ok(
    JSON.stringify(details).includes(secrets.place),
    "while the database knows it: the test looks for the right thing",
  );
});
