import { DocksealError } from "#kernel";
import { sealKeys, trustedRoot } from "#seal";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";

export function sealRoutes(app: App, deps: HttpDependencies): void {
  app.get(
    "/log/trusted_root.json",
    {
      config: { access: "public", operation: "log.trusted-root" },
      schema: {
        summary: "The log and the timestamp authorities, for Sigstore's tools (trusted_root.json)",
        tags: ["log"],
        produces: ["application/json"],
      },
    },
    async (_request, reply) => {
      const root = await trustedRoot(deps.db);
      return reply.header("cache-control", "no-cache").type("application/json; charset=utf-8").send(root);
    },
  );
  app.get(
    "/log/seal-key",
    {
      config: { access: "public", operation: "log.seal-key" },
      schema: {
        summary: "Public keys that originals were signed with (PEM), newest first",
        tags: ["log"],
        produces: ["text/plain"],
      },
    },
    async (_request, reply) => {
      const keys = await sealKeys(deps.db);
      if (keys.length === 0) throw new DocksealError("not-found", { detail: "No original was signed yet" });
      return reply.header("cache-control", "no-cache").type("text/plain; charset=utf-8").send(keys.join(""));
    },
  );
}
