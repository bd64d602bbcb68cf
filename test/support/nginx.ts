import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Test } from "tap";
import { freePort } from "./port.ts";
import { until } from "./until.ts";

const run = promisify(execFile);
const sample = join(import.meta.dirname, "../../deploy/nginx/dockseal.conf");

export interface Nginx {
  readonly url: string;
  /** PEM file that clients have to trust. */
  readonly certificate: string;
}

/** nginx with the sample configuration, of which only the lines marked as yours and the port are other ones. */
export async function nginx(t: Test, directory: string, servers: readonly string[]): Promise<Nginx> {
  const port = await freePort();
  const [certificate, key] = [join(directory, "nginx.pem"), join(directory, "nginx.key")];
  await run("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"],
    ...["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
  ]);
  const changed = replaceEach(await readFile(sample, "utf8"), [
    ["server 127.0.0.1:8080;", servers.map((server) => `server ${new URL(server).host};`).join(" ")],
    ["listen 443 ssl;", `listen 127.0.0.1:${port} ssl;`],
    ["/etc/ssl/certs/dockseal.pem", certificate],
    ["/etc/ssl/private/dockseal.key", key],
  ]);
  const own = (name: string) => `${name}_temp_path ${directory}/nginx-${name};`;
  const main = [
    `user root; daemon off; pid ${directory}/nginx.pid; error_log ${directory}/logs/nginx.log; events {}`,
    `http { access_log off; ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(own).join(" ")}`,
    changed,
    "}",
  ];
  const file = join(directory, "nginx.conf");
  await writeFile(file, main.join("\n"));
  const child = spawn("/usr/sbin/nginx", ["-c", file, "-e", join(directory, "logs/nginx.log")], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  t.teardown(() => ended(child));
  const url = `https://127.0.0.1:${port}`;
  await until("nginx answers", async () => {
    const { stdout } = await run("curl", ["-s", "--cacert", certificate, `${url}/healthz`]);
    return stdout.length > 0;
  });
  return { url, certificate };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = once(child, "exit");
  child.kill("SIGTERM");
  await over;
}

function replaceEach(text: string, pairs: readonly (readonly [string, string])[]): string {
  return pairs.reduce((changed, [from, to]) => {
    if (!changed.includes(from)) throw new Error(`the sample configuration has no ${from}`);
    return changed.replace(from, to);
  }, text);
}
