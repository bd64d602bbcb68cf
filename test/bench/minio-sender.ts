import { createReadStream } from "node:fs";
import { Client } from "minio";
import type { SendOrder } from "./way.ts";

/*
 * Sends files with `putObject` of the minio client, in a process of its own so that its memory and time can be
 * measured. Takes one order at a time from its parent and answers `null`, or the text of an error.
 */

const { hostname, port, username, password } = new URL(process.env["BENCH_S3"] ?? "");
const client = new Client({
  endPoint: hostname,
  port: Number(port),
  useSSL: false,
  region: "us-east-1",
  accessKey: decodeURIComponent(username),
  secretKey: decodeURIComponent(password),
});

process.on("message", ({ bucket, keys, file, sizeBytes }: SendOrder) => {
  Promise.all(keys.map((key) => client.putObject(bucket, key, createReadStream(file), sizeBytes))).then(
    () => process.send?.(null),
    (error: unknown) => process.send?.(String(error)),
  );
});
process.on("disconnect", () => process.exit());
process.send?.("ready");
