import { sql } from "kysely";
import { raiseAlarm } from "#custody";
import { DocksealError } from "#kernel";
import type { ObjectRef } from "#store";
import type { AuditDependencies } from "./dependencies.ts";

/** Other clips that are looked for, before and after one that is missing. */
const neighbours = 3;

/**
 * Before an object is called missing: is this the store at all? A directory that is not mounted answers, and has nothing.
 * So other sealed clips are looked for, and when none of them is there either, the store is away, not the clip.
 * @throws DocksealError `store-unavailable`.
 */
export async function requireStorePresent(deps: AuditDependencies, clipId: string): Promise<void> {
  const { db, store } = deps;
  await store.ping();
  const { rows } = await sql<ObjectRef>`
    SELECT object_key AS key, version_id FROM clip_location WHERE clip_id IN (
      (SELECT id FROM clip WHERE id > ${clipId} AND state = 'sealed' ORDER BY id LIMIT ${neighbours})
      UNION ALL (SELECT id FROM clip WHERE id < ${clipId} AND state = 'sealed' ORDER BY id DESC LIMIT ${neighbours}))`.execute(
    db,
  );
  const alarm = { kind: "fixity-store", subject: store.location };
  if (rows.length === 0) return;
  for (const ref of rows) {
    if ((await store.stat(ref)) !== undefined) return;
  }
  const detail = `clip ${clipId} is missing, and so are ${rows.length} others beside it: is the right store mounted?`;
  if (await raiseAlarm(db, { ...alarm, detail }))
    deps.log.error({ clipId }, "the store has none of the clips looked for");
  throw new DocksealError("store-unavailable", { detail });
}
