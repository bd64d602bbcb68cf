import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";

const cli = join(import.meta.dirname, "../../src/cli/dockseal.ts");

async function demo(...args: string[]): Promise<{ code: number | null; output: string }> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("DOCKSEAL_")));
  const child = spawn(process.execPath, [cli, "demo", "--once", "--port", "0", ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output };
}

// mkdtemp makes directories that only their owner may enter: the database server must come through there as well.
t.test(
  "the demo: eight recordings go from a docking station to a verified receipt, and a second run sends nothing twice",
  async (t) => {
    t.setTimeout(300_000);
    const directory = await mkdtemp(join(tmpdir(), "dockseal-demo-"));
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    const first = await demo("--data", directory);
    t.equal(first.code, 0, first.output);
    const rows = first.output.split("\n").filter((line) => /[0-9a-f]{64} {2}sealed/.test(line));
    t.ok(rows.length >= 6, `${rows.length} recordings are sealed`);
    t.ok(
      rows.every((row) => row.endsWith("verified") && !row.includes("NOT")),
      "each has a receipt that was verified",
    );
    for (const pattern of [
      /\.mp4 .*sealed {2}yes/,
      /\.avi .*sealed {2}yes/,
      /\.wav .*audio.*yes/,
      /\.jpg .*photo/,
      /\.txt .*text.*no \(not-media\)/,
      /no \(no-moov\)/,
    ]) {
      t.match(first.output, pattern);
    }
    const access = JSON.parse(await readFile(join(directory, "access.json"), "utf8"));
    t.match(access, {
      url: /^http:/,
      people: [{ role: "handler", name: String, password: String }],
      station: { id: String, token: String },
    });

    const own = await mkdtemp(join(tmpdir(), "dockseal-own-"));
    t.teardown(() => rm(own, { recursive: true, force: true }));
    await writeFile(join(own, "随手记录.txt"), "现场无人。\n");
    await writeFile(join(own, "unknown.dat"), "no format at all\n");
    const second = await demo("--data", directory, "--media", own);
    t.equal(second.code, 0, second.output);
    t.match(second.output, /2 recordings, 2 sealed with a verified receipt/);
    t.equal(
      (await readdir(join(directory, "station", "receipts"))).length,
      rows.length + 2,
      "a receipt is kept for each",
    );

    // Whoever lost the file with the secrets, or was interrupted before it was written, is not locked out.
    await rm(join(directory, "access.json"));
    const third = await demo("--data", directory, "--media", own);
    t.equal(third.code, 0, third.output);
    const renewed = JSON.parse(await readFile(join(directory, "access.json"), "utf8"));
    t.equal(renewed.station.id, access.station.id, "the station is the same");
    t.not(renewed.station.token, access.station.token, "with a new token");
    t.not(renewed.people[0].password, access.people[0].password, "and people have new passwords");
    const log = await readFile(join(directory, "logs", "serve.log"), "utf8");
    t.equal(
      log.split('"operation":"clips.receive"').length - 1,
      rows.length + 2,
      "what has a receipt is not sent again",
    );
  },
);
