import { sql } from "kysely";
import Type from "typebox";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";

export const part = Type.Object({ ok: Type.Boolean(), detail: Type.String() });
const readiness = Type.Object({
  ready: Type.Boolean(),
  database: part,
  store: part,
  writeOnce: part,
});

export function healthRoutes(app: App, deps: HttpDependencies): void {
  app.get(
    "/healthz",
    {
      config: { access: "public", operation: "health" },
      schema: {
        summary: "The process lives",
        tags: ["operation"],
        response: { 200: Type.Object({ ok: Type.Boolean() }) },
      },
    },
    async () => ({ ok: true }),
  );
  app.get(
    "/readyz",
    {
      config: { access: "public", operation: "health" },
      schema: {
        summary: "Clips can be taken: database and store answer, and no stop is under way",
        description:
          "`writeOnce` tells what the probe of the store found; a store that is not write-once is told, not hidden.",
        tags: ["operation"],
        response: { 200: readiness, 503: readiness },
      },
    },
    async (_request, reply) => {
      const [database, store] = await Promise.all([
        answering(sql`SELECT 1`.execute(deps.db), "answers"),
        answering(deps.store.ping(), deps.store.kind),
      ]);
      const writeOnce = writeOnceOf(deps);
      const ready = database.ok && store.ok && !deps.uploads.stopping;
      return reply.status(ready ? 200 : 503).send({ ready, database, store, writeOnce });
    },
  );
  app.get(
    "/metrics",
    {
      config: { access: "public", operation: "health" },
      schema: { summary: "Figures for Prometheus", tags: ["operation"], produces: ["text/plain"] },
    },
    async (_request, reply) =>
      reply.type(deps.metrics.registry.contentType).send(await deps.metrics.registry.metrics()),
  );
}

/** What the last write-once probe of the store found. */
export function writeOnceOf(deps: HttpDependencies): { ok: boolean; detail: string } {
  const report = deps.wormReport();
  return report === undefined
    ? { ok: false, detail: "not probed yet" }
    : { ok: report.writeOnce, detail: report.detail };
}

/** Waits for at most 3 s. The detail is short on purpose: who may ask is not known here. */
export async function answering(work: Promise<unknown>, detail: string): Promise<{ ok: boolean; detail: string }> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("does not answer")), 3000);
  });
  try {
    await Promise.race([work, late]);
    return { ok: true, detail };
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.name : "fault" };
  } finally {
    clearTimeout(timer);
  }
}
