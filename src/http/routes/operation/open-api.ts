import type { App } from "../../routed.ts";

export function openApiRoute(app: App): void {
  app.get(
    "/api/openapi.json",
    { config: { access: "public", operation: "openapi" }, schema: { hide: true } },
    async (_request, reply) => reply.send(app.swagger()),
  );
}
