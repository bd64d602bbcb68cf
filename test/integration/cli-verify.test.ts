import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { encodeReceipt, type Receipt } from "#evidence";
import { bareNode } from "../support/bare-node.ts";
import { ORIGINAL, sampleBag } from "../support/sample-bag.ts";
import { FILE, sealedClip } from "../support/sealed-clip.ts";

const run = promisify(execFile);
const cli = join(import.meta.dirname, "../../src/cli/dockseal.ts");

/** The exit code and output of `dockseal …`, with no DOCKSEAL_* variable in sight. */
async function dockseal(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn("env", bareNode(cli, ...args), {
    env: { PATH: process.env["PATH"] },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const [code] = (await once(child, "close")) as [number];
  return { code, stdout, stderr };
}

t.test("dockseal verify", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "dockseal-verify-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const { receipt, text, trust } = await sealedClip();
  const path = (name: string): string => join(directory, name);
  await writeFile(path("receipt.json"), text);
  await writeFile(path("clip"), FILE);
  await writeFile(path("trust.json"), JSON.stringify({ type: "dockseal/trust@v1", ...trust }));

  const flipped = (bytes: Buffer, at: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };
  const changed = async (name: string, change: Partial<Receipt>): Promise<string> => {
    await writeFile(path(name), encodeReceipt({ ...receipt, ...change }));
    return path(name);
  };

  t.test("is 0 for the true file, with and without a trust file", async (t) => {
    t.equal((await dockseal("verify", path("receipt.json"), "--file", path("clip"))).code, 0);
    const trusted = await dockseal(
      "verify",
      path("receipt.json"),
      "--file",
      path("clip"),
      "--trust",
      path("trust.json"),
    );
    t.equal(trusted.code, 0);
    t.match(trusted.stdout, /passed +log-key-trusted/);
  });

  t.test("is 1 after one byte was changed in the file", async (t) => {
    await writeFile(path("changed-clip"), flipped(FILE, 3));
    const { code, stdout } = await dockseal("verify", path("receipt.json"), "--file", path("changed-clip"));
    t.equal(code, 1);
    t.match(stdout, /FAILED +file-sha256/);
  });

  t.test("is 1 after one byte was changed in the entry, in the proof or in the checkpoint", async (t) => {
    const entry = await changed("entry.json", { entry: flipped(receipt.entry, receipt.entry.length - 10) });
    t.equal((await dockseal("verify", entry)).code, 1, "entry");
    const lines = receipt.proof.split("\n");
    const withLine = (index: number, line: string): string => lines.with(index, line).join("\n");
    const hash = Buffer.from(lines[2] ?? "", "base64");
    const proof = await changed("proof.json", { proof: withLine(2, flipped(hash, 5).toString("base64")) });
    t.equal((await dockseal("verify", proof)).code, 1, "proof");
    const rootAt = lines.indexOf("") + 3;
    const root = Buffer.from(lines[rootAt] ?? "", "base64");
    const checkpoint = await changed("checkpoint.json", {
      proof: withLine(rootAt, flipped(root, 0).toString("base64")),
    });
    t.equal((await dockseal("verify", checkpoint)).code, 1, "checkpoint");
  });

  t.test("is 1 when the keys are not those of the trust file", async (t) => {
    const other = await sealedClip({ at: new Date("2026-11-22T01:00:00.000Z") });
    await writeFile(
      path("other-trust.json"),
      JSON.stringify({ type: "dockseal/trust@v1", logs: trust.logs, timestampRoots: other.trust.timestampRoots }),
    );
    t.equal((await dockseal("verify", path("receipt.json"), "--trust", path("other-trust.json"))).code, 1);
  });

  t.test("is 2, with a sentence, for what it cannot read or does not know", async (t) => {
    const missing = await dockseal("verify", path("nowhere.json"));
    t.equal(missing.code, 2);
    t.match(missing.stderr, /nowhere\.json cannot be read: ENOENT/);
    t.equal((await dockseal("verify")).code, 2);
    t.equal((await dockseal("verify", path("receipt.json"), "--flie", path("clip"))).code, 2);
    t.equal((await dockseal("verfy", path("receipt.json"))).code, 2);
  });

  t.test("prints one JSON object a receipt with --json", async (t) => {
    const { stdout } = await dockseal("verify", path("receipt.json"), path("receipt.json"), "--json");
    const verdicts = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    t.equal(verdicts.length, 2);
    t.match(verdicts[0], { ok: true, checks: [{ name: "receipt-format", status: "passed" }] });
  });

  t.test("opens no socket", async (t) => {
    const trace = path("trace");
    const command = [process.execPath, cli, "verify", path("receipt.json"), "--file", path("clip")];
    await run(
      "strace",
      ["-f", "-qq", "-e", "trace=socket,connect,bind,listen", "-e", "signal=none", "-o", trace, ...command],
      {
        env: { PATH: process.env["PATH"] },
      },
    );
    t.equal(await readFile(trace, "utf8"), "", "no socket is made, and none is connected, bound or listened on");
  });
});

t.test("dockseal verify of a bag and of a seal bundle", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "dockseal-verify-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const { files, trust } = await sampleBag({ at: new Date(Date.now() - 3_600_000) });
  const bag = join(directory, "bag");
  for (const [path, content] of files) {
    await mkdir(dirname(join(bag, path)), { recursive: true });
    await writeFile(join(bag, path), content);
  }
  const trustPath = join(directory, "trust.json");
  await writeFile(trustPath, JSON.stringify({ type: "dockseal/trust@v1", ...trust }));

  const right = await dockseal("verify", bag, "--trust", trustPath);
  t.equal(right.code, 0, right.stdout);
  t.match(right.stdout, /passed +custody-proof +6 of 6: /);
  t.match(right.stdout, /passed +export-signer-trusted /);
  t.match(right.stdout, /case 演示〔2026〕第1号: 1 originals\n {2}signed by CN=dockseal export/);
  t.notMatch(right.stdout, /FAILED/);
  const told = await dockseal("verify", bag, "--json");
  t.match(JSON.parse(told.stdout), { path: bag, kind: "bag", ok: true, originals: 1 });

  const seal = [...files.keys()].find((path) => path.endsWith(".sigstore.json")) as string;
  const given = ["--file", join(bag, ORIGINAL), "--trust", trustPath];
  t.match(await dockseal("verify", join(bag, seal), ...given), { code: 0, stdout: /passed +seal-key-trusted/ });

  await writeFile(join(bag, "data/more"), "x");
  const more = await dockseal("verify", bag, "--trust", trustPath);
  t.equal(more.code, 1);
  t.match(more.stdout, /FAILED +manifest-sha256 +data\/more: in the bag, but not listed\n/);
  t.match(more.stdout, /NOT OK/);
  await rm(join(bag, "data/more"));
  await symlink(trustPath, join(bag, "data/link"));
  t.match(await dockseal("verify", bag), { code: 1, stdout: /FAILED +paths +data\/link: a link/ });
  await rm(join(bag, "data/link"));
  await writeFile(join(bag, ORIGINAL), "another recording\n");
  t.match(await dockseal("verify", join(bag, seal), ...given), { code: 1, stdout: /FAILED +file-sha256/ });
  t.match(await dockseal("verify", bag, join(directory, "nowhere")), { code: 2, stderr: /nowhere cannot be read/ });
});

t.test("a command that needs configuration lists everything that is wrong with it in one message", async (t) => {
  const child = spawn("env", bareNode(cli, "serve"), {
    env: { PATH: process.env["PATH"], DOCKSEAL_PORT: "many", DOCKSEAL_PROT: "8080" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, "close");
  t.equal(code, 2);
  for (const expected of [
    "DOCKSEAL_PORT must be",
    "DOCKSEAL_PROT is unknown",
    "DOCKSEAL_DATABASE_URL is missing",
    "DOCKSEAL_STORE_URL is missing",
  ]) {
    t.ok(stderr.includes(expected), `${expected} …`);
  }
});
