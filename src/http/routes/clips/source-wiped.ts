import Type from "typebox";
import { inTransaction } from "#db";
import { recordSourceWiped } from "#ingest";
import { stationOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asStation, idParams, line, problem, strict } from "../../schemas.ts";
import { visibleClip } from "./visible-clip.ts";

export function sourceWipedRoute(app: App, deps: HttpDependencies): void {
  app.post(
    "/api/v1/clips/:id/source-wiped",
    {
      config: { access: ["station"], operation: "clips.source-wiped" },
      // What the caller may not see is not there, whatever else is wrong with the request.
      preValidation: async (request) => {
        await visibleClip(request, deps.db, (request.params as { id: string }).id);
      },
      schema: {
        summary: "Report that a card's file was wiped",
        description:
          "By a station that sent the clip and removed its own copy on a verified receipt. Logged as `clip.source-wiped`. The same report again changes nothing: repeat it until it is answered.",
        tags: ["clips"],
        security: asStation,
        params: idParams,
        body: Type.Object(
          {
            sha256: Type.String({ pattern: "^[0-9a-f]{64}$", description: "Of the file as it was on the card" }),
            wipedAt: Type.String({ maxLength: 40, description: "RFC 3339" }),
            fileName: { ...line(1000), description: "Name on the card, with folders when there are any" },
          },
          strict,
        ),
        response: {
          200: Type.Object({ recorded: Type.Boolean({ description: "false: it was reported before" }) }),
          default: problem,
        },
      },
    },
    async (request) => {
      const wipe = { ...request.body, clipId: request.params.id, station: stationOf(request) };
      return { recorded: await inTransaction(deps.db, (tx) => recordSourceWiped(tx, wipe)) };
    },
  );
}
