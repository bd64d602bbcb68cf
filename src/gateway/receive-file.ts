import { type IngestDependencies, type Received, receiveClip, type Upload } from "#ingest";
import { DocksealError, isProblem } from "#kernel";
import { announcementOf, numberReused, tieToClip } from "./announcements.ts";
import { metadataOf } from "./file-record.ts";
import type { GatewayStation } from "./keys.ts";

/**
 * The bytes of an announced file, through the same ingest as every upload. The tie between file number and clip is made
 * in the transaction that makes the clip: killed at any point, there are both or neither.
 * @throws DocksealError `not-announced`; `file-number-reused` when other bytes came under that number before; and all
 * of `receiveClip`.
 */
export async function receiveAnnouncedFile(
  deps: IngestDependencies,
  station: GatewayStation,
  number: string,
  upload: Pick<Upload, "body" | "signal" | "traceId" | "reprSha256">,
): Promise<Received & { sha256: string }> {
  const { db } = deps;
  const { announcement, record, recordSha256 } = await announcementOf(db, station, number);
  const earlier = announcement.clipId === null ? undefined : await sha256Of(deps, announcement.clipId);
  const reused = (what: string) => numberReused(db, station, number, what);
  if (earlier !== undefined && upload.reprSha256 !== undefined && earlier !== upload.reprSha256) {
    throw await reused("Repr-Digest is not that of the bytes that came before");
  }
  const declared = upload.reprSha256 ?? earlier;
  try {
    const received = await receiveClip(deps, {
      ...{ station: station.actor, metadata: metadataOf(record, station.zone) },
      ...{ body: upload.body, signal: upload.signal, traceId: upload.traceId },
      ...(declared === undefined ? {} : { reprSha256: declared }),
      origin: {
        source: "gateway",
        details: {
          authentication: "weak: shared key in the query string",
          fileNumber: number,
          recordSha256,
          sourceAddress: station.sourceAddress,
        },
        settle: async (tx, { clipId }) => {
          // Another upload of this number was faster, and brought other bytes.
          if (!(await tieToClip(tx, announcement.id, clipId))) throw new DocksealError("file-number-reused");
        },
      },
    });
    return { ...received, sha256: await sha256Of(deps, received.clipId) };
  } catch (error) {
    const differs = isProblem(error, "digest-differs") || isProblem(error, "length-differs");
    if (isProblem(error, "file-number-reused") || (earlier !== undefined && differs)) {
      throw await reused("the bytes are not those that came before");
    }
    throw error;
  }
}

async function sha256Of({ db }: IngestDependencies, clipId: string): Promise<string> {
  const { sha256 } = await db.selectFrom("clip").select("sha256").where("id", "=", clipId).executeTakeFirstOrThrow();
  return sha256;
}
