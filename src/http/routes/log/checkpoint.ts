import { currentVkeys, publishedCheckpoint } from "#custody";
import { DocksealError } from "#kernel";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";

export function checkpointRoutes(app: App, deps: HttpDependencies): void {
  app.get(
    "/log/checkpoint",
    {
      config: { access: "public", operation: "log.checkpoint" },
      schema: {
        summary: "The newest signed checkpoint, with the cosignatures that it has (C2SP tlog-checkpoint)",
        tags: ["log"],
        produces: ["text/plain"],
      },
    },
    async (_request, reply) => {
      const checkpoint = await publishedCheckpoint(deps.db);
      if (checkpoint === undefined) throw new DocksealError("not-found", { detail: "The log has no entry yet" });
      return reply.header("cache-control", "no-cache").type("text/plain; charset=utf-8").send(checkpoint.note);
    },
  );
  app.get(
    "/log/key",
    {
      config: { access: "public", operation: "log.key" },
      schema: {
        summary: "The log's verifier keys, one a line, oldest first (C2SP signed-note)",
        tags: ["log"],
        produces: ["text/plain"],
      },
    },
    async (_request, reply) => {
      const vkeys = await currentVkeys(deps.db);
      return reply.type("text/plain; charset=utf-8").send(vkeys.map((vkey) => `${vkey}\n`).join(""));
    },
  );
}
