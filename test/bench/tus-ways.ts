import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { curl, someMetadata } from "../support/curl.ts";
import { messageOf } from "./child.ts";
import type { Endings } from "./endings.ts";
import { processMeter } from "./measured.ts";
import type { Product } from "./product.ts";
import type { Piece } from "./source.ts";
import { expectStatus, recorderOf, startBeside, together, type Way } from "./way.ts";

const version = "tus-resumable: 1.0.0";
const pieceType = "content-type: application/offset+octet-stream";

/** Everything in one PATCH, as curl and tus-js-client send it when they are told nothing else. */
export function tusInOnePatch(product: Product): Way {
  return {
    path: "dockseal, tus: one PATCH",
    meter: processMeter(product.pid),
    send: ({ keys, file, sizeBytes }) =>
      together(keys, async (key) => {
        const upload = await begin(`${product.url}/api/v1/uploads`, sizeBytes, ours(product, key));
        await patchWhole(upload, file, ours(product, key));
      }),
  };
}

/** Piece by piece with a checksum each, and the question for the clip at the end, as `dockseal station` sends. */
export function tusInPieces(product: Product): Way {
  return {
    path: "dockseal, tus: PATCHes of 16 MiB",
    meter: processMeter(product.pid),
    send: ({ keys, pieces, sizeBytes }) =>
      together(keys, async (key) => {
        const headers = ours(product, key);
        const upload = await begin(`${product.url}/api/v1/uploads`, sizeBytes, headers);
        await patchPieces(upload, pieces, headers);
        expectStatus(201, await curl(...asArguments(headers), "-X", "POST", `${upload}/complete`));
      }),
  };
}

export async function tusToS3(endings: Endings, { s3, bucket }: Product): Promise<Way> {
  const child = startBeside(endings, "tus-server.ts", { BENCH_S3: s3.url(""), BENCH_BUCKET: bucket });
  const port = await messageOf<number>(child);
  return {
    path: "@tus/server with @tus/s3-store",
    meter: processMeter(child.pid),
    send: ({ keys, file, sizeBytes }) =>
      together(keys, async () => {
        const upload = await begin(`http://127.0.0.1:${port}/files`, sizeBytes, [version]);
        await patchWhole(upload, file, [version]);
      }),
  };
}

function ours({ token }: Product, key: string): string[] {
  const metadata = JSON.stringify({ ...someMetadata, recorderSerial: recorderOf(key) });
  return [
    version,
    `authorization: Bearer ${token}`,
    `upload-metadata: metadata ${Buffer.from(metadata).toString("base64")}`,
  ];
}

/** @returns the upload's address. */
async function begin(url: string, sizeBytes: number, headers: readonly string[]): Promise<string> {
  const made = await curl(...asArguments([...headers, `upload-length: ${sizeBytes}`]), "-X", "POST", url);
  expectStatus(201, made);
  const location = /^location: *(\S+)/im.exec(made.headers)?.[1];
  if (location === undefined) throw new Error("the tus server named no upload");
  return new URL(location, url).href;
}

async function patchWhole(upload: string, file: string, headers: readonly string[]): Promise<void> {
  const all = asArguments([...headers, pieceType, "upload-offset: 0"]);
  expectStatus(204, await curl(...all, "-X", "PATCH", "-T", file, upload));
}

/** One curl on one connection, as a station has it: a process for each piece would cost more than the piece. */
async function patchPieces(upload: string, pieces: readonly Piece[], headers: readonly string[]): Promise<void> {
  const child = spawn("curl", ["--config", "-"], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "close");
  child.stdin.end(pieces.map((piece) => patchInConfig(upload, piece, headers)).join("next\n"));
  const said = await text(child.stdout);
  const [code] = await ended;
  if (code !== 0 || said !== "204\n".repeat(pieces.length)) throw new Error(`curl ended with ${code}: ${said}`);
}

/** A request in the language of curl's configuration files. */
function patchInConfig(upload: string, piece: Piece, headers: readonly string[]): string {
  const all = [
    ...headers,
    pieceType,
    `upload-offset: ${piece.offsetBytes}`,
    `upload-checksum: sha256 ${piece.sha256}`,
    "expect:", // our agent does not ask whether it may
  ];
  const lines = [
    ["request", "PATCH"],
    ["url", upload],
    ["upload-file", piece.file],
    ...all.map((header) => ["header", header]),
    ["output", "/dev/null"],
    ["write-out", "%{http_code}\\n"],
    ["max-time", "300"],
  ];
  return `${lines.map(([name, value]) => `${name} = "${value}"\n`).join("")}silent\nshow-error\n`;
}

function asArguments(headers: readonly string[]): string[] {
  return headers.flatMap((header) => ["-H", header]);
}
