import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import Fastify from "fastify";
import t from "tap";
import type { App } from "../../src/http/routed.ts";
import { consoleRoutes } from "../../src/http/routes/console/console.ts";

// How the console is served, apart from what it is: test/e2e/console.test.ts uses the built one.

function served(directory: string) {
  const app = Fastify();
  consoleRoutes(app as unknown as App, directory);
  return app;
}

t.test("where no console was built, its pages say what to type, and its files are not there", async (t) => {
  const app = served(join(t.testdir(), "nothing"));
  for (const path of ["/", "/clips", "/cases/1"]) {
    const page = await app.inject(path);
    t.equal(page.statusCode, 503, path);
    t.match(page.headers["content-type"], /^text\/html/);
    t.match(page.body, /npm run build/);
  }
  t.equal((await app.inject("/assets/index-abc.js")).statusCode, 404);
});

t.test("each answer has a nonce of its own, and files are sent compressed to who takes that", async (t) => {
  const directory = t.testdir();
  await mkdir(join(directory, "assets"));
  await writeFile(join(directory, "index.html"), '<meta nonce="{{nonce}}">');
  await writeFile(join(directory, "assets/a-1.js"), "plain");
  await writeFile(join(directory, "assets/a-1.js.gz"), gzipSync("plain"));
  await writeFile(join(directory, "assets/secret.txt"), "secret");
  const app = served(directory);
  const [first, second] = [await app.inject("/"), await app.inject("/")];
  t.not(first.body, second.body, "the nonce is used once");
  for (const { body, headers } of [first, second]) {
    const nonce = /nonce="(.+)"/.exec(body)?.[1] ?? "";
    t.match(nonce, /^[A-Za-z0-9+/]{24}$/);
    t.ok(String(headers["content-security-policy"]).includes(`'nonce-${nonce}'`), "and is that of its policy");
  }
  const plain = await app.inject({ path: "/assets/a-1.js", headers: { "accept-encoding": "identity" } });
  t.same([plain.body, plain.headers["content-encoding"]], ["plain", undefined]);
  const packed = await app.inject({ path: "/assets/a-1.js", headers: { "accept-encoding": "br, gzip" } });
  t.same([packed.rawPayload, packed.headers["content-encoding"]], [gzipSync("plain"), "gzip"]);
  t.match(packed.headers["vary"], /accept-encoding/);
  for (const name of ["secret.txt", "a-1.js.gz", "..%2findex.html", "%2e%2e%2fa-1.js", ".js"]) {
    t.not((await app.inject(`/assets/${name}`)).statusCode, 200, `${name} is none of its files`);
  }
});
