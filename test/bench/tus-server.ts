import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { S3Store } from "@tus/s3-store";
import { Server } from "@tus/server";

/** `@tus/server` on `@tus/s3-store`, as their READMEs set them up; tells its parent the port. */

const { host, username, password } = new URL(process.env["BENCH_S3"] ?? "");
const tus = new Server({
  path: "/files",
  datastore: new S3Store({
    partSize: 8 * 1024 * 1024,
    s3ClientConfig: {
      bucket: process.env["BENCH_BUCKET"] ?? "",
      region: "us-east-1",
      endpoint: `http://${host}`,
      forcePathStyle: true,
      // The checksums in trailers that the SDK sends otherwise are refused by this radosgw.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      credentials: { accessKeyId: decodeURIComponent(username), secretAccessKey: decodeURIComponent(password) },
    },
  }),
});
const server = createServer({ requestTimeout: 0 }, tus.handle.bind(tus)).listen(0, "127.0.0.1", () => {
  process.send?.((server.address() as AddressInfo).port);
});
process.on("disconnect", () => process.exit());
