import { pino } from "pino";
import { openQueue } from "#queue";

/** A worker process for the queue's suite to kill: takes one job, says so, and never finishes it. */
const [url = "", prefix = ""] = process.argv.slice(2);
const queue = openQueue({ url, prefix, log: pino({ level: "silent" }), lockDurationMs: 1_000 });
queue.work("hash", async (payload) => {
  process.stdout.write(`${payload.clipId}\n`);
  await new Promise(() => setInterval(() => undefined, 1_000));
});
