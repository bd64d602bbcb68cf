import { Client } from "minio";
import { curl, sendClip, sendRaw, someMetadata } from "../support/curl.ts";
import { messageOf } from "./child.ts";
import type { Endings } from "./endings.ts";
import { processMeter } from "./measured.ts";
import type { Product } from "./product.ts";
import { rcloneCopyto } from "./rclone.ts";
import { tusInOnePatch, tusInPieces, tusToS3 } from "./tus-ways.ts";
import { expectStatus, recorderOf, startBeside, together, type Way } from "./way.ts";

/** The way that the others are compared with, and its name in the ratios. */
export const reference = "curl";
/** The way whose uploads are followed to their receipts. */
export const followed = "dockseal, bare body: one PUT";

export async function allWays(endings: Endings, product: Product): Promise<Way[]> {
  return [
    curlToPresigned(product),
    rawThroughOurApi(product),
    throughOurApi(product, "dockseal, sizeBytes known: one PUT", true),
    throughOurApi(product, "dockseal, sizeBytes unknown: parts", false),
    tusInOnePatch(product),
    tusInPieces(product),
    await rcloneCopyto(product),
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
    meter: undefined,
    send: ({ bucket, keys, file }) =>
      together(keys, async (key) => {
        const url = await client.presignedPutObject(bucket, key, 3600);
        expectStatus(200, await curl("-T", file, url));
      }),
  };
}

function rawThroughOurApi(product: Product): Way {
  return {
    path: followed,
    meter: processMeter(product.pid),
    send: ({ keys, file }) => together(keys, (key) => sendBare(product, file, key).then(() => undefined)),
  };
}

/** @returns the clip's id. */
export async function sendBare({ url, token }: Product, file: string, key: string): Promise<string> {
  const answer = await sendRaw(url, token, file, { ...someMetadata, recorderSerial: recorderOf(key) });
  expectStatus(201, answer);
  return answer.json<{ id: string }>().id;
}

function throughOurApi({ url, token, pid }: Product, path: string, announce: boolean): Way {
  return {
    path,
    meter: processMeter(pid),
    send: ({ keys, file, sizeBytes }) =>
      together(keys, async (key) => {
        const metadata = { ...someMetadata, recorderSerial: recorderOf(key), ...(announce ? { sizeBytes } : {}) };
        expectStatus(201, await sendClip(url, token, file, metadata));
      }),
  };
}

async function minioPutObject(endings: Endings, { s3 }: Product): Promise<Way> {
  const child = startBeside(endings, "minio-sender.ts", { BENCH_S3: s3.url("") });
  await messageOf(child);
  return {
    path: "minio putObject of a file",
    meter: processMeter(child.pid),
    send: async (order) => {
      child.process.send(order);
      const error = await messageOf<string | null>(child);
      if (error !== null) throw new Error(error);
    },
  };
}
