import Type from "typebox";
import { clipChanges } from "#ingest";
import { everyone, personOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, strict } from "../../schemas.ts";

/** A reader that takes no more bytes must not hold up the end of a stream for longer. */
const lastBytesMs = 1_000;

export function liveEventsRoute(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/events",
    {
      config: { access: everyone, operation: "events.follow" },
      schema: {
        summary: "Follow what happens to clips",
        description: [
          "Server-sent events about the clips of your organization, within about half a second.",
          `\`clip\`: \`{clipId, what, at}\`, \`what\` being ${clipChanges.join(", ")}.`,
          "`ready`: a new stream tells of all that happens from here on; ask for lists after it.",
          "`reload`: something was missed that cannot be told any more; ask for lists anew.",
          "`end`: `{reason}`, `session-ended` or `stopping`.",
          "`Last-Event-ID`, of any API process, goes on where it was, without `ready`. Other events may be added.",
        ].join(" "),
        tags: ["clips"],
        security: asPerson,
        headers: Type.Object({
          "last-event-id": Type.Optional(
            Type.String({
              pattern: "^\\d{1,15}$",
              description: "`id` of the last event that was read",
            }),
          ),
        }),
        querystring: Type.Object({}, strict),
        produces: ["text/event-stream"],
      },
    },
    async (request, reply) => {
      const person = personOf(request);
      reply.headers({
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
        connection: "close",
      });
      if (request.method === "HEAD") return reply.send("");
      const lastEventId = request.headers["last-event-id"];
      const body = await deps.live.open(person, lastEventId === undefined ? undefined : Number(lastEventId));
      body.once("end", () => {
        const timer = setTimeout(() => reply.raw.destroy(), lastBytesMs);
        reply.raw.once("close", () => clearTimeout(timer));
      });
      return reply.send(body);
    },
  );
}
