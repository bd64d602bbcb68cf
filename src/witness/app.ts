import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import { Counter, Gauge, Registry } from "prom-client";
import { parseCheckpoint, parseNote } from "#evidence";
import type { Clock } from "#kernel";
import type { WitnessMemory } from "./memory.ts";
import type { TrustedLogs } from "./policy.ts";
import { addCheckpoint } from "./witness.ts";

/** 63 hashes and a note with more signatures than any log has, also of the large post-quantum kind. */
const MAX_BODY_BYTES = 128 * 1024;

export interface WitnessParts {
  readonly memory: WitnessMemory;
  readonly logs: TrustedLogs;
  readonly clock: Clock;
  readonly logger: FastifyBaseLogger;
}

/** The witness's HTTP interface; does not listen yet. Everything but `add-checkpoint` is for people and monitors. */
export function buildWitness(parts: WitnessParts): FastifyInstance {
  const { memory, logs, logger } = parts;
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    forceCloseConnections: "idle",
  });
  const { registry, requests } = figures(parts);
  // The specification names no media type for the request.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const refused = error.statusCode !== undefined && error.statusCode < 500;
    // A full disk, or a memory that another process holds for long: nothing was remembered and nothing cosigned.
    if (!refused) logger.error({ err: error }, "a request could not be answered");
    reply.status(refused ? (error.statusCode ?? 400) : 503).type("text/plain; charset=utf-8");
    return reply.send(refused ? `${error.message}\n` : "not available just now: try again\n");
  });

  app.post("/add-checkpoint", async (request, reply) => {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.of();
    const { answer, alarm } = addCheckpoint(parts, body);
    if (alarm !== undefined) logger.error({ alarm }, "ALARM: a log shows a history that contradicts what was seen");
    requests.inc({ status: answer.status });
    return reply.status(answer.status).header("content-type", answer.type).send(answer.body);
  });
  app.get("/key", async (_request, reply) => reply.type("text/plain; charset=utf-8").send(`${memory.signer.vkey}\n`));
  app.get("/healthz", async (_request, reply) => {
    memory.alarms();
    return reply.type("text/plain; charset=utf-8").send("ok\n");
  });
  app.get("/logs", async () => ({ logs: headsOf(memory, [...logs.keys()]) }));
  app.get("/alarms", async () => ({ alarms: alarmsOf(memory) }));
  app.get("/metrics", async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
  return app;
}

/** Last seen head of each log, for people: null for a log that was never seen. */
export function headsOf(memory: WitnessMemory, origins: readonly string[]) {
  return origins.map((origin) => {
    const head = memory.head(origin);
    if (head === undefined) return { origin, head: null };
    const { size, checkpoint, time } = head;
    const { root } = parseCheckpoint(parseNote(checkpoint).text);
    return { origin, head: { size, root: root.toString("base64"), cosignedAt: moment(time), checkpoint } };
  });
}

/** Alarms that stand, for people. */
export function alarmsOf(memory: WitnessMemory) {
  return memory.alarms().map(({ raisedAt, lastSeenAt, ...alarm }) => ({
    ...alarm,
    raisedAt: moment(raisedAt),
    lastSeenAt: moment(lastSeenAt),
  }));
}

function moment(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

function figures({ memory, logs }: WitnessParts): { registry: Registry; requests: Counter<"status"> } {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Counter({
    name: "dockseal_witness_requests_total",
    help: "Requests add-checkpoint by status of the answer",
    labelNames: ["status"] as const,
    registers,
  });
  new Gauge({
    name: "dockseal_witness_size",
    help: "Entries of the largest tree that was cosigned, by log",
    labelNames: ["origin"],
    registers,
    collect() {
      for (const origin of logs.keys()) this.set({ origin }, memory.head(origin)?.size ?? 0);
    },
  });
  new Gauge({
    name: "dockseal_witness_alarms",
    help: "Alarms that stand, by log",
    labelNames: ["origin"],
    registers,
    collect() {
      this.reset();
      for (const { origin } of memory.alarms()) this.inc({ origin });
    },
  });
  return { registry, requests };
}
