import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { ChildrenMeter } from "./measured.ts";
import type { Product } from "./product.ts";
import { together, type Way } from "./way.ts";

/**
 * `rclone copyto` as it is after the installation, a process for each file. Above 200 MiB it sends parts of 5 MiB, four at
 * a time; it reads the file for an MD5 first, and asks for the object afterwards.
 */
export async function rcloneCopyto({ s3 }: Product): Promise<Way> {
  const meter = new ChildrenMeter();
  // Nothing else of our environment: a variable meant for other programs (AWS_CA_BUNDLE) keeps rclone from starting.
  const environment = {
    PATH: process.env["PATH"],
    RCLONE_CONFIG: "/dev/null",
    RCLONE_CONFIG_BENCH_TYPE: "s3",
    RCLONE_CONFIG_BENCH_PROVIDER: "Ceph",
    RCLONE_CONFIG_BENCH_ENDPOINT: s3.endpoint,
    RCLONE_CONFIG_BENCH_ACCESS_KEY_ID: s3.accessKey,
    RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY: s3.secretKey,
  };
  const rclone = async (...args: string[]): Promise<void> => {
    const child = spawn("rclone", args, {
      env: environment,
      stdio: ["ignore", "ignore", "pipe"],
    });
    const complaints = text(child.stderr);
    const ended = once(child, "close");
    const [[code, signal]] = await Promise.all([ended, meter.follow(child)]);
    if (code !== 0) throw new Error(`rclone ended with ${code ?? signal}: ${await complaints}`);
  };
  await rclone("version").catch((cause: unknown) => {
    throw new Error("rclone cannot be run; deploy/prepare.sh test installs it", { cause });
  });
  return {
    path: "rclone copyto",
    meter,
    send: ({ bucket, keys, file }) =>
      together(keys, (key) => rclone("copyto", "--s3-no-check-bucket", file, `bench:${bucket}/${key}`)),
  };
}
