import { createHash } from "node:crypto";
import { sql } from "kysely";
import Type, { type Static } from "typebox";
import { appendEvent } from "#custody";
import { type Database, inTransaction } from "#db";
import { recorderForStation, type StationActor } from "#identity";
import { canonicalJson, DocksealError, type Json, newId } from "#kernel";
import { metadataSchema } from "#metadata";
import { markDue } from "./follow.ts";

const { fileName, capturedAt, capturedAtZone, durationSeconds, sequence, clockOffsetMs, clockUncertaintyMs } =
  metadataSchema.properties;

/** Most files of one manifest; a fuller card sends several. */
const maximumEntries = 5000;

/** What a station says of a card: each file that it holds, or is known to have held. */
export const manifestSchema = Type.Object(
  {
    readAt: Type.String({
      pattern: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?(Z|[+-]\\d{2}:\\d{2})$",
      description: "When the card was read, by the station's clock (RFC 3339)",
    }),
    recorderClock: Type.Optional({
      ...capturedAt,
      description: "What the recorder's clock showed at that time, exactly as it shows it",
    }),
    clockOffsetMs,
    clockUncertaintyMs,
    entries: Type.Array(
      Type.Object(
        {
          fileName,
          capturedAt,
          capturedAtZone,
          durationSeconds,
          sequence,
          sizeBytes: metadataSchema.properties.sizeBytes,
          sha256: Type.Optional(Type.String({ pattern: "^[0-9a-f]{64}$" })),
        },
        { additionalProperties: false },
      ),
      { maxItems: maximumEntries },
    ),
  },
  { additionalProperties: false },
);
export type CardManifest = Static<typeof manifestSchema>;

export interface ReceivedManifest {
  readonly id: string;
  /** SHA-256 of the manifest as canonical JSON (RFC 8785), hex. */
  readonly digest: string;
  readonly entryCount: number;
  /** False when this recorder's manifest came before, to the letter. */
  readonly created: boolean;
}

/**
 * Keeps what a card was said to hold. The same manifest again is the one that is there.
 * @throws DocksealError `other-organization` when the recorder belongs to another one, `malformed-field` for a time that
 * does not exist.
 */
export async function receiveManifest(
  db: Database,
  station: StationActor,
  recorderSerial: string,
  manifest: CardManifest,
): Promise<ReceivedManifest> {
  if (Number.isNaN(Date.parse(manifest.readAt))) {
    throw new DocksealError("malformed-field", {
      extra: { errors: [{ field: "readAt", problem: "is a time that does not exist" }] },
    });
  }
  const digest = manifestDigest(manifest as unknown as Json);
  const entryCount = manifest.entries.length;
  const id = newId();
  return inTransaction(db, async (tx) => {
    const recorderId = await recorderForStation(tx, station, recorderSerial);
    const clock = {
      clockOffsetMs: manifest.clockOffsetMs ?? null,
      clockUncertaintyMs: manifest.clockUncertaintyMs ?? null,
    };
    const row = await tx
      .insertInto("recorderManifest")
      .values({
        ...{ id, recorderId, organizationId: station.organizationId, stationId: station.id, digest, entryCount },
        ...{ manifest: JSON.stringify(manifest), readAt: manifest.readAt, ...clock },
      })
      .onConflict((conflict) => conflict.columns(["recorderId", "digest"]).doNothing())
      .returning("id")
      .executeTakeFirst();
    if (row === undefined) {
      const earlier = await tx
        .selectFrom("recorderManifest")
        .select("id")
        .where("recorderId", "=", recorderId)
        .where("digest", "=", digest)
        .executeTakeFirstOrThrow();
      return { id: earlier.id, digest, entryCount, created: false };
    }
    const entries = manifest.entries.map((entry) => ({ digest: manifestDigest(entry as unknown as Json), entry }));
    // In one order, so that two manifests at once do not wait for each other.
    await sql`
      INSERT INTO recorder_manifest_entry (recorder_id, entry_digest, manifest_id, entry)
      SELECT ${recorderId}::uuid, digest, ${id}::uuid, entry
      FROM jsonb_to_recordset(${JSON.stringify(entries)}::jsonb) AS listed(digest text, entry jsonb)
      ORDER BY digest ON CONFLICT DO NOTHING`.execute(tx);
    await appendEvent(tx, {
      type: "recorder.manifest-received",
      subject: { recorder: recorderId, manifest: id },
      actor: station,
      details: { digest, entryCount, recorderSerial, readAt: manifest.readAt, ...clock },
    });
    await markDue(tx, [recorderId]);
    return { id, digest, entryCount, created: true };
  });
}

/** SHA-256 over canonical JSON (RFC 8785), hex; of a manifest or one entry of it. */
export function manifestDigest(value: Json): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}
