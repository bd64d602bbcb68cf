import { execFile, spawn } from "node:child_process";
import { once as ended } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import type { Role } from "#identity";
import { bareProduct } from "./bare-node.ts";

const run = promisify(execFile);

/** `dockseal up` with the data of `dockseal demo`. */
export interface DemoProduct {
  readonly url: string;
  readonly directory: string;
  readonly people: Readonly<Record<Role, { readonly name: string; readonly password: string }>>;
}

/**
 * Lets the demo make its data, and starts `dockseal up` on it; both end with the caller.
 * @param once only what `demo --once` makes: fewer recordings, none of them damaged.
 */
export async function demoProduct(t: { teardown: (end: () => unknown) => void }, once = true): Promise<DemoProduct> {
  const directory = await mkdtemp(join(tmpdir(), "dockseal-demo-"));
  t.teardown(async () => {
    // `up` makes what it stores immutable where it can.
    await run("chattr", ["-R", "-f", "-i", join(directory, "evidence")]).catch(() => undefined);
    await rm(directory, { recursive: true, force: true });
  });
  const demo = start(["demo", "--port", "0", "--data", directory, ...(once ? ["--once"] : [])]);
  let said = "";
  demo.stdout.on("data", (chunk) => {
    said += chunk;
    // What it then lets happen, it tells at last.
    if (/it is in quarantine|Not all of the demo/.test(said)) demo.kill("SIGTERM");
  });
  const [code] = (await ended(demo, "close")) as [number | null];
  if (code !== 0) throw new Error(`the demo ended with ${code}:\n${said}`);
  const up = start(["up", "--port", "0", "--data", directory]);
  t.teardown(async () => {
    if (up.exitCode !== null) return;
    up.kill("SIGTERM");
    await ended(up, "exit");
  });
  for await (const line of createInterface({ input: up.stdout })) {
    const url = /^ready (\S+)$/.exec(line)?.[1];
    if (url === undefined) continue;
    up.stdout.resume();
    const access = JSON.parse(await readFile(join(directory, "access.json"), "utf8")) as {
      people: { role: Role; name: string; password: string }[];
    };
    const person = (role: Role) => {
      const found = access.people.find((one) => one.role === role);
      if (found === undefined) throw new Error(`the demo has no ${role}`);
      return found;
    };
    const people = {
      handler: person("handler"),
      supervisor: person("supervisor"),
      auditor: person("auditor"),
      administrator: person("administrator"),
    };
    return { url, directory, people };
  }
  throw new Error("`dockseal up` ended before it was ready");
}

function start(args: readonly string[]) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("DOCKSEAL_")));
  return spawn("env", bareProduct(args), { env, stdio: ["ignore", "pipe", "inherit"] });
}
