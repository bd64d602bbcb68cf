import type { FastifyRequest } from "fastify";
import type { Database } from "#db";
import { type ClipRecord, clipRecord } from "#ingest";
import { DocksealError } from "#kernel";
import { organizationOf } from "../../access.ts";

/**
 * The clip, when the caller may see it: authorization goes by what the database says of the id, never by the request.
 * @throws DocksealError `not-found`, also for a clip of another organization.
 */
export async function visibleClip(request: FastifyRequest, db: Database, id: string): Promise<ClipRecord> {
  const clip = await clipRecord(db, id);
  if (clip.organizationId !== organizationOf(request)) throw new DocksealError("not-found", { detail: "No such clip" });
  return clip;
}
