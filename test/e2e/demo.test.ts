import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { PersonClient } from "../../src/cli/person-client.ts";
import { bareProduct } from "../support/bare-node.ts";
import { until } from "../support/until.ts";

function start(...args: string[]): { child: ChildProcess; output: () => string; ended: Promise<number | null> } {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("DOCKSEAL_")));
  const child = spawn("env", bareProduct(["demo", "--port", "0", ...args]), {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  return { child, output: () => output, ended: once(child, "close").then(([code]) => code as number | null) };
}

async function demo(...args: string[]): Promise<{ code: number | null; output: string }> {
  const { output, ended } = start("--once", ...args);
  return { code: await ended, output: output() };
}

// mkdtemp makes directories that only their owner may enter: the database server must come through there as well.
t.test(
  "the demo: recordings go from docking stations to verified receipts, a second run sends nothing twice, and who stays has much to look at",
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "dockseal-demo-"));
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    const first = await demo("--data", directory);
    t.equal(first.code, 0, first.output);
    const rows = first.output.split("\n").filter((line) => /[0-9a-f]{64} {2}sealed/.test(line));
    t.ok(rows.length >= 17, `${rows.length} recordings are sealed`);
    t.ok(
      rows.every((row) => row.endsWith("verified") && !row.includes("NOT")),
      "each has a receipt that was verified",
    );
    for (const pattern of [
      /\.mp4 .*sealed {2}yes/,
      /\.avi .*sealed {2}yes .*\(by hand\)/,
      /\.wav .*audio.*yes/,
      /\.jpg .*photo/,
      /\.txt .*text.*no \(not-media\)/,
      /no \(no-moov\)/,
      / {2}verified: \d+ checks passed, 0 failed/,
    ]) {
      t.match(first.output, pattern);
    }
    const access = JSON.parse(await readFile(join(directory, "access.json"), "utf8"));
    t.match(access, {
      url: /^http:/,
      people: [{ role: "handler", name: String, password: String }],
      station: { id: String, token: String },
      stations: [{ id: access.station.id }, { id: String, token: String }],
    });

    const own = await mkdtemp(join(tmpdir(), "dockseal-own-"));
    t.teardown(() => rm(own, { recursive: true, force: true }));
    await writeFile(join(own, "随手记录.txt"), "现场无人。\n");
    await writeFile(join(own, "unknown.dat"), "no format at all\n");
    const second = await demo("--data", directory, "--media", own);
    t.equal(second.code, 0, second.output);
    t.match(second.output, /2 recordings, 2 sealed with a verified receipt/);
    t.equal(await receipts(directory), rows.length + 2, "a receipt is kept for each");

    // Whoever lost the file with the secrets, or was interrupted before it was written, is not locked out.
    await rm(join(directory, "access.json"));
    const staying = start("--data", directory);
    t.teardown(() => void staying.child.kill("SIGKILL"));
    let ended = false;
    void staying.ended.then(() => {
      ended = true;
    });
    await until("what the demo does at the end", async () => ended || /quarantine|Not all/.test(staying.output()), {
      seconds: 300,
    });
    const renewed = JSON.parse(await readFile(join(directory, "access.json"), "utf8"));
    t.equal(renewed.station.id, access.station.id, "the station is the same");
    t.not(renewed.station.token, access.station.token, "with a new token");
    t.not(renewed.people[0].password, access.people[0].password, "and people have new passwords");
    for (const { name, password } of renewed.people) t.match(staying.output(), new RegExp(`${name} +${password}`));

    const auditor = await personNamed(renewed, "auditor");
    const { items: clips } = await auditor.get<{ items: { fileName: string; state: string; playable: boolean }[] }>(
      "/api/v1/clips?limit=100",
    );
    t.ok(clips.length >= 37 + 2, `${clips.length} clips`);
    const damaged = clips.filter(({ state }) => state !== "sealed");
    t.match(damaged, [{ state: "quarantined" }], "one is in quarantine");
    t.match(staying.output(), `  ${damaged[0]?.fileName}\n`, "which the demo says");
    t.match((await auditor.get<Items>("/api/v1/alarms")).items, [{ kind: "fixity-damage" }], "an alarm stands");
    t.match((await auditor.get<Items>("/api/v1/audits")).items, [
      { kind: "manual", state: "finished", damagedCount: 1 },
    ]);
    // Each recorder is looked at some time after its last clip was examined.
    const findings = await until("what does not fit is found", async () => {
      const { items } = await auditor.get<{ items: { kind: string; state: string }[] }>("/api/v1/findings");
      return items.length >= 7 && items;
    });
    t.same(
      findings.map(({ kind, state }) => `${kind} ${state}`).sort(),
      [
        ...["gap-in-sequence acknowledged", "gap-in-time open", "incomplete-source open"],
        ...Array.from({ length: 4 }, () => "late-arrival open"),
      ],
      "gaps and late ones are found, and nothing else",
    );
    await until("recordings of several segments", async () => {
      const path = "/api/v1/recordings?limit=100";
      const { items } = await auditor.get<{ items: { segmentCount: number }[] }>(path);
      return items.filter(({ segmentCount }) => segmentCount >= 3).length >= 2;
    });
    const { items: cases } = await auditor.get<{ items: { id: string; title: string | null }[] }>("/api/v1/cases");
    t.ok(cases.filter(({ title }) => title !== null).length >= 6, "cases with titles");
    const plant = cases.find(({ title }) => title?.includes("建材厂"));
    const { bindings } = await auditor.get<{ bindings: { revision: number }[] }>(`/api/v1/cases/${plant?.id}`);
    t.same(bindings.map(({ revision }) => revision).sort(), [1, 1, 2], "a binding was corrected");

    const log = await readFile(join(directory, "logs", "serve.log"), "utf8");
    t.equal(log.split('"operation":"clips.receive"').length - 1, clips.length, "what has a receipt is not sent again");
    staying.child.kill("SIGINT");
    t.equal(await staying.ended, 0, "it stops cleanly");
  },
);

interface Items {
  readonly items: readonly unknown[];
}

async function receipts(directory: string): Promise<number> {
  const kept = ["station", "station-2"].map((name) => readdir(join(directory, name, "receipts")));
  return (await Promise.all(kept)).flat().length;
}

function personNamed(
  access: { url: string; people: readonly { role: string; name: string; password: string }[] },
  role: string,
): Promise<PersonClient> {
  const person = access.people.find((one) => one.role === role);
  return PersonClient.signIn(access.url, person?.name ?? "", person?.password ?? "");
}
