import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "./port.ts";
import { Process } from "./stack.ts";

/** `dockseal witness` as a bureau runs it, for logs with these keys. `start()` and the like are those of Process. */
export async function witnessProcess(
  directory: string,
  logs: readonly { readonly origin: string; readonly keys: readonly string[] }[],
  options: { readonly name?: string; readonly dataDir?: string } = {},
) {
  await mkdir(join(directory, "logs"), { recursive: true });
  const policy = join(directory, "policy.json");
  await writeFile(policy, JSON.stringify({ logs }));
  const dataDir = options.dataDir ?? join(directory, "witness");
  const port = await freePort();
  const args = ["--data", dataDir, "--policy", policy, "--port", String(port)];
  const named = options.name === undefined ? [] : ["--name", options.name];
  const process = new Process("witness", {}, directory, [...args, ...named]);
  const url = `http://127.0.0.1:${port}`;
  /** Its verifier key, once it runs. */
  const key = async (): Promise<string> => (await (await fetch(`${url}/key`)).text()).trim();
  return { process, url, dataDir, key };
}
