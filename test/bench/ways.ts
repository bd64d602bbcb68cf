import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { Client } from "minio";
import { curl, sendClip, someMetadata } from "../support/curl.ts";
import { type Child, messageOf, startChild } from "./child.ts";
import type { Endings } from "./endings.ts";
import type { Product } from "./product.ts";

/** A file to send, several times at once under different keys. */
export interface SendOrder {
  readonly bucket: string;
  readonly keys: readonly string[];
  readonly file: string;
  readonly sizeBytes: number;
}

/** One way for bytes into the S3 server. */
export interface Way {
  readonly path: string;
  /** The process whose memory and time are of interest. */
  readonly pid: number | undefined;
  /** Sends the file under each key at once; resolves when all are stored. */
  readonly send: (order: SendOrder) => Promise<void>;
}

/** The way that the others are compared with, and its name in the ratios. */
export const reference = "curl";

export async function allWays(endings: Endings, product: Product): Promise<Way[]> {
  return [
    curlToPresigned(product),
    throughOurApi(product, "dockseal, sizeBytes known: one PUT", true),
    throughOurApi(product, "dockseal, sizeBytes unknown: parts", false),
    await minioPutObject(endings, product),
    await tusToS3(endings, product),
  ];
}

function curlToPresigned({ s3 }: Product): Way {
  const client = new Client({
    endPoint: s3.host,
    port: s3.port,
    useSSL: false,
    region: "us-east-1",
    accessKey: s3.accessKey,
    secretKey: s3.secretKey,
  });
  return {
    path: reference,
    pid: undefined,
    send: ({ bucket, keys, file }) =>
      together(keys, async (key) => {
        const url = await client.presignedPutObject(bucket, key, 3600);
        expectStatus(200, await curl("-T", file, url));
      }),
  };
}

function throughOurApi({ url, token, pid }: Product, path: string, announce: boolean): Way {
  return {
    path,
    pid,
    send: ({ keys, file, sizeBytes }) =>
      together(keys, async (key) => {
        // The same bytes of one recorder are one clip, so each upload is of a recorder of its own.
        const metadata = { ...someMetadata, recorderSerial: key.slice(-32), ...(announce ? { sizeBytes } : {}) };
        expectStatus(201, await sendClip(url, token, file, metadata));
      }),
  };
}

async function minioPutObject(endings: Endings, { s3 }: Product): Promise<Way> {
  const child = startBeside(endings, "minio-sender.ts", { BENCH_S3: s3.url("") });
  await messageOf(child);
  return {
    path: "minio putObject of a file",
    pid: child.pid,
    send: async (order) => {
      child.process.send(order);
      const error = await messageOf<string | null>(child);
      if (error !== null) throw new Error(error);
    },
  };
}

async function tusToS3(endings: Endings, { s3, bucket }: Product): Promise<Way> {
  const child = startBeside(endings, "tus-server.ts", { BENCH_S3: s3.url(""), BENCH_BUCKET: bucket });
  const port = await messageOf<number>(child);
  const tus = ["-H", "tus-resumable: 1.0.0"];
  return {
    path: "@tus/server with @tus/s3-store",
    pid: child.pid,
    send: ({ keys, file, sizeBytes }) =>
      together(keys, async () => {
        const url = `http://127.0.0.1:${port}/files`;
        const made = await curl(...tus, "-X", "POST", "-H", `upload-length: ${sizeBytes}`, url);
        expectStatus(201, made);
        const location = /^location: *(\S+)/im.exec(made.headers)?.[1];
        if (location === undefined) throw new Error("the tus server named no upload");
        const patch = ["-X", "PATCH", "-H", "upload-offset: 0", "-H", "content-type: application/offset+octet-stream"];
        expectStatus(204, await curl(...tus, ...patch, "-T", file, new URL(location, url).href));
      }),
  };
}

function startBeside(endings: Endings, script: string, environment: Record<string, string>): Child {
  return startChild(endings, { script: join(import.meta.dirname, script), environment });
}

/** Keys that no upload had before. */
export function newKeys(count: number): string[] {
  return Array.from({ length: count }, () => `bench/${randomUUID().replaceAll("-", "")}`);
}

async function together(keys: readonly string[], work: (key: string) => Promise<void>): Promise<void> {
  await Promise.all(keys.map(work));
}

function expectStatus(status: number, answer: { status: number; body: string }): void {
  if (answer.status !== status) throw new Error(`answer ${answer.status} instead of ${status}: ${answer.body}`);
}
