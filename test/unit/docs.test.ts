import { execFile } from "node:child_process";
import { cp, readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { variables } from "#config";
import { ContentDigests } from "#evidence";
import { problems } from "#kernel";
import { parseTrust, verifyReceipt } from "#verify";
import { generatedDocs } from "../../deploy/dev/generate-docs.ts";
import { bareNode } from "../support/bare-node.ts";
import { verifyBySigstore } from "../support/sigstore.ts";

// What the documents say is what the code does: as far as that can be read off.

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const read = (path: string): Promise<string> => readFile(join(root, path), "utf8");

async function pages(): Promise<Map<string, string>> {
  const found = (await readdir(join(root, "docs"), { recursive: true })).filter((name) => name.endsWith(".md"));
  const paths = ["README.md", "CONTRIBUTING.md", "SECURITY.md", ...found.map((name) => `docs/${name}`)];
  return new Map(await Promise.all(paths.map(async (path): Promise<[string, string]> => [path, await read(path)])));
}

/** Anchors that headings get, as GitHub makes them. */
function anchorsOf(text: string): string[] {
  return [...text.replace(/^```.*?^```$/gms, "").matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

t.test("generated documents are what the code would generate now", async (t) => {
  for (const [path, wanted] of Object.entries(await generatedDocs())) {
    t.ok((await read(path)) === wanted, `${path} is up to date (npm run generate)`);
  }
});

t.test("every link and every path in the documents leads somewhere", async (t) => {
  const all = await pages();
  for (const [path, text] of all) {
    const exists = (target: string): Promise<boolean> =>
      stat(join(root, target)).then(
        () => true,
        () => false,
      );
    for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https:/.test(target)) continue;
      const [file = "", anchor] = target.split("#");
      const page = file === "" ? path : relative(root, join(root, dirname(path), file));
      t.ok(await exists(page), `${path}: ${target}`);
      if (anchor !== undefined)
        t.ok(anchorsOf(all.get(page) ?? "").includes(anchor), `${path}: ${target} is a heading`);
    }
    for (const [, file = ""] of text.matchAll(/`((?:src|docs|test|deploy|workers|migrations)\/[\w./-]+)`/g)) {
      t.ok(await exists(file), `${path} names ${file}`);
    }
  }
});

t.test("every variable, command, option and script that a document names exists", async (t) => {
  const { stdout: usage } = await run("env", bareNode(join(root, "src/cli/dockseal.ts"), "--help"));
  const { scripts } = JSON.parse(await read("package.json")) as { scripts: Record<string, string> };
  for (const [path, text] of await pages()) {
    const real = text.replaceAll(/DOCKSEAL_\w+ is unknown/g, "");
    for (const [name] of real.matchAll(/DOCKSEAL_[A-Z][A-Z_]*[A-Z]/g)) {
      t.ok(name in variables || name.startsWith("DOCKSEAL_TEST_"), `${path}: ${name}`);
    }
    for (const [, command = "", rest = ""] of text.matchAll(/\bnpx dockseal ((?:station )?[a-z-]+)([^`\n]*)/g)) {
      const line = usage.split("\n").find((candidate) => candidate.startsWith(`  dockseal ${command} `)) ?? "";
      t.not(line, "", `${path}: dockseal ${command}`);
      for (const [option] of rest.matchAll(/--[a-z-]+/g))
        t.match(line, option, `${path}: dockseal ${command} ${option}`);
    }
    for (const [, script = ""] of text.matchAll(/\bnpm run ([a-z:]+)/g))
      t.ok(script in scripts, `${path}: npm run ${script}`);
  }
});

t.test("the answers that stations are told about have the statuses they are told", async (t) => {
  for (const row of (await read("docs/station.md")).matchAll(/^\| (`\d{3}`[^|]*)\|([^|]*)\|/gm)) {
    const statuses = [...(row[1] ?? "").matchAll(/\d{3}/g)].map(([status]) => Number(status));
    for (const [, code = ""] of (row[2] ?? "").matchAll(/`([a-z]+(?:-[a-z]+)+)`/g)) {
      const known = Object.entries(problems).find(([name]) => name === code);
      t.ok(known !== undefined && statuses.includes(known[1][0]), `${code} is ${statuses.join(" or ")}`);
    }
  }
});

t.test("the lines of docs/formats.md, typed into bash, print what the page says", async (t) => {
  const directory = t.testdir();
  await cp(join(root, "docs/example"), directory, { recursive: true });
  const expected: { command: string; output: string }[] = [];
  for (const [, block = ""] of (await read("docs/formats.md")).matchAll(/^```console\n(.*?)^```$/gms)) {
    for (const line of block.split(/(?<=\n)/)) {
      const last = expected.at(-1);
      if (line.startsWith("$ ")) expected.push({ command: line.slice(2).trimEnd(), output: "" });
      else if (last !== undefined) last.output += line;
    }
  }
  t.ok(expected.length > 20);
  const mark = "== next ==\n";
  const script = expected.map(({ command }) => `${command}\nprintf '${mark.replace("\n", "\\n")}'`).join("\n");
  const { stdout } = await run("bash", ["-eu", "-c", script], {
    cwd: directory,
    env: { PATH: process.env["PATH"], TZ: "UTC" },
  });
  const outputs = stdout.split(mark);
  expected.forEach(({ command, output }, index) => {
    t.equal(outputs[index], output, command);
  });

  const digests = new ContentDigests();
  digests.update(await readFile(join(directory, "recording.bin")));
  const trust = parseTrust(await read("docs/example/trust.json"));
  const verdict = await verifyReceipt(await read("docs/example/receipt.json"), {
    ...{ trust, file: digests.finish(), now: new Date("2026-11-22T02:00:00Z") },
  });
  t.equal(verdict.ok, true, "and the example's receipt passes");
  for (const [name, ok] of [
    ["receipt.json", false],
    ["renewed-receipt.json", true],
  ] as const) {
    const later = await verifyReceipt(await read(`docs/example/${name}`), { now: new Date("2050-01-01T00:00:00Z") });
    t.equal(later.ok, ok, `${name} in 2050`);
  }
  const clip = await readFile(join(directory, "clip.bin"));
  const believed = {
    root: await read("docs/example/trusted_root.json"),
    sealKeys: await read("docs/example/seal-key.pem"),
  };
  const bundle = await read("docs/example/clip.sigstore.json");
  t.doesNotThrow(() => verifyBySigstore(bundle, clip, believed), "and Sigstore accepts the example's bundle");
  t.throws(() => verifyBySigstore(bundle, clip.subarray(1), believed), { code: "SIGNATURE_ERROR" });
  const shown = [...(await read("README.md")).matchAll(/^ {2}(?:passed|not checked) +(\S+) {2,}(.*)$/gm)];
  t.same(
    shown.map(([, name, detail]) => [name, detail]),
    verdict.checks.map(({ name, detail }) => [name, detail]),
    "the README shows the checks that are made",
  );
});
