import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import type { FastifyReply, FastifyRequest } from "fastify";
import { DocksealError } from "#kernel";
import type { App } from "../../routed.ts";
import { notBuiltPage } from "./not-built.ts";

/** Where `npm run build:console` puts the console. */
const ofInstallation = join(import.meta.dirname, "../../../../dist/console");

/** Pages of the console: the browser makes them, so each address gives the same document. */
const pages = [
  ...(["/", "/sign-in", "/tray", "/clips", "/clips/:id", "/cases", "/cases/:id"] as const),
  ...(["/recorders/:serial", "/exports/:id"] as const),
] as const;

const mediaTypes: Readonly<Record<string, string>> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/**
 * Nothing from another origin, and no script but the files that were built. Styles that antd makes while it runs bear the
 * nonce of the document. `wasm-unsafe-eval`: SHA-256 and SM3 of a dropped file are WebAssembly.
 */
function policy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "media-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** The web console: one document for all its pages, and the files that it loads. @param built directory that they are in. */
export function consoleRoutes(app: App, built = ofInstallation): void {
  const config = { access: "public", operation: "console" } as const;
  for (const path of pages) {
    app.get(path, { config, schema: { hide: true } }, async (_request, reply) => sendDocument(reply, built));
  }
  app.get("/assets/:name", { config, schema: { hide: true } }, async (request, reply) =>
    sendAsset(request, reply, join(built, "assets"), (request.params as { name: string }).name),
  );
}

async function sendDocument(reply: FastifyReply, built: string): Promise<FastifyReply> {
  const nonce = randomBytes(18).toString("base64");
  reply
    .headers({
      "content-security-policy": policy(nonce),
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
    })
    .type("text/html; charset=utf-8");
  const document = await fileOrNothing(join(built, "index.html"));
  if (document === undefined) return reply.status(503).send(notBuiltPage);
  return reply.send(document.toString().replaceAll("{{nonce}}", nonce));
}

/** The name of an asset holds a digest of its content: what was loaded once is never asked for again. */
async function sendAsset(
  request: FastifyRequest,
  reply: FastifyReply,
  assets: string,
  name: string,
): Promise<FastifyReply> {
  const type = mediaTypes[extname(name)];
  if (type === undefined || !/^[\w-]+(\.[\w-]+)+$/.test(name)) throw new DocksealError("not-found");
  const path = join(assets, name);
  const zipped = /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
  const body = (zipped ? await fileOrNothing(`${path}.gz`) : undefined) ?? (await fileOrNothing(path));
  if (body === undefined) throw new DocksealError("not-found");
  // gzip begins with these two bytes; nothing else that is sent here does.
  if (body[0] === 0x1f && body[1] === 0x8b) reply.header("content-encoding", "gzip");
  return reply
    .headers({ "cache-control": "public, max-age=31536000, immutable", vary: "accept-encoding" })
    .type(type)
    .send(body);
}

async function fileOrNothing(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
