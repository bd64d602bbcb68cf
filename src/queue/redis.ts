import { createRedisBackend, Queue } from "bullmq";
import { Redis } from "ioredis";
import { pause } from "#kernel";
import type { Backend, Log } from "./backend.ts";
import { JobWorker } from "./worker.ts";

/** Comes back soon after a restart, and never gives up. */
const retryStrategy = (times: number) => Math.min(times * 100, 2_000);

export function openRedis(url: string, log: Log): Backend {
  // A producer must fail, not wait: without the offline queue a command on a broken connection is refused at once,
  // and one that a hung server does not answer after `commandTimeout`.
  const client = new Redis(url, {
    enableOfflineQueue: false,
    commandTimeout: 2_000,
    connectTimeout: 2_000,
    keepAlive: 10_000,
    retryStrategy,
  });
  client.setMaxListeners(0); // each producer listens
  let away = false;
  client.on("error", (error) => {
    if (!away) log.warn({ err: error }, "Redis is away");
    away = true;
  });
  client.on("ready", () => {
    away = false;
  });

  return {
    kind: "redis",
    async ready(signal) {
      while (client.status !== "ready") {
        signal.throwIfAborted();
        await pause(50, signal);
      }
    },
    producer: (queueName) => new Queue(queueName, { connection: client }, createRedisBackend),
    worker: (queueName, processor, settings) => {
      const connection = { url, maxRetriesPerRequest: null, connectTimeout: 10_000, keepAlive: 10_000, retryStrategy };
      return new JobWorker(queueName, processor, { ...settings, connection }, createRedisBackend);
    },
    async findProblems() {
      const settings = `${await client.info("memory")}\n${await client.info("persistence")}`;
      const setting = (name: string) => settings.match(new RegExp(`^${name}:(.*?)\\r?$`, "m"))?.[1];
      const problems: string[] = [];
      const policy = setting("maxmemory_policy");
      if (policy !== "noeviction")
        problems.push(`Redis may throw jobs away: maxmemory-policy is ${policy}, set noeviction`);
      if (setting("aof_enabled") !== "1")
        problems.push("Redis forgets jobs in a crash: appendonly is off, set it to yes");
      return problems;
    },
    async close() {
      client.disconnect();
    },
  };
}
