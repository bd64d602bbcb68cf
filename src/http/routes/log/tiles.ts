import { bundleEntries, eventIdAt, eventProof, newestHead, tileHashes } from "#custody";
import { encodeEntryBundle, parseTilePath } from "#evidence";
import { DocksealError } from "#kernel";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";

/** What an address stands for never changes: a tile only grows, and each width has an address of its own. */
export const immutable = "public, max-age=31536000, immutable";

/** The tree as static resources: C2SP tlog-tiles (https://c2sp.org/tlog-tiles). */
export function tileRoutes(app: App, deps: HttpDependencies): void {
  app.get(
    "/log/tile/*",
    {
      config: { access: "public", operation: "log.tile" },
      schema: {
        summary: "A tile of hashes, or a bundle of entries (C2SP tlog-tiles)",
        description: "`/log/tile/<L>/<N>[.p/<W>]` and `/log/tile/entries/<N>[.p/<W>]`, within the newest checkpoint.",
        tags: ["log"],
        produces: ["application/octet-stream"],
      },
    },
    async (request, reply) => {
      const name = parseTilePath((request.params as { "*": string })["*"]);
      if (name === undefined) throw noTile("This is not the address of a tile");
      const head = await newestHead(deps.db);
      const size = head?.size ?? 0;
      const bytes =
        name.level === undefined
          ? await bundleEntries(deps.db, size, name).then((entries) => entries && encodeEntryBundle(entries))
          : await tileHashes(deps.db, size, name);
      if (bytes === undefined) throw noTile(`The signed tree of ${size} entries has no such tile`);
      return reply.header("cache-control", immutable).type("application/octet-stream").send(bytes);
    },
  );
  app.get(
    "/log/proof/:index",
    {
      config: { access: "public", operation: "log.proof" },
      schema: {
        summary: "Proof that an entry stands in the log (C2SP tlog-proof)",
        tags: ["log"],
        produces: ["text/plain"],
      },
    },
    async (request, reply) => {
      const { index } = request.params as { index: string };
      const eventId = /^(0|[1-9]\d{0,14})$/.test(index) ? await eventIdAt(deps.db, Number(index)) : undefined;
      const proof = eventId === undefined ? undefined : await eventProof(deps.db, eventId);
      if (proof === undefined) throw new DocksealError("not-found", { detail: "The signed log has no such entry" });
      // The checkpoint that it leads to may be another one later, when witnesses have signed.
      return reply.header("cache-control", "no-cache").type("text/plain; charset=utf-8").send(proof.proof);
    },
  );
}

function noTile(detail: string): DocksealError {
  return new DocksealError("not-found", { detail });
}
