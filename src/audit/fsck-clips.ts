import { sql } from "kysely";
import type { Report } from "#custody";
import type { Tx } from "#db";
import { capturedInstant } from "#metadata";
import type { ClipPage } from "./clip-pages.ts";
import { Comparison } from "./differences.ts";

/** Rows of `clip` against what the log says was received, hashed, sealed and put into quarantine. */
export async function fsckClips(tx: Tx, page: ClipPage, report: Report): Promise<void> {
  for (const clip of await clipsOf(tx, page.ids)) {
    const compared = new Comparison(report, "clip", clip.id);
    checkReceived(clip, page, compared);
    checkHashed(clip, page, compared);
    checkState(clip, page, compared);
  }
}

/** Events of clips that are not there. */
export async function fsckLostClips(tx: Tx, report: Report): Promise<void> {
  const { rows } = await sql<{ clipId: string; events: number }>`
    SELECT clip_id, count(*) AS events FROM custody_event
    WHERE type = 'clip.received' AND NOT EXISTS (SELECT FROM clip WHERE clip.id = clip_id)
    GROUP BY clip_id ORDER BY clip_id`.execute(tx);
  for (const { clipId } of rows) {
    report({ kind: "clip", subject: clipId, detail: "the log says that it was received, and there is no such clip" });
  }
}

function clipsOf(tx: Tx, ids: readonly string[]) {
  return tx
    .selectFrom("clip")
    .leftJoin("recorder", "recorder.id", "clip.recorderId")
    .selectAll("clip")
    .select("recorder.serial")
    .where("clip.id", "in", ids)
    .orderBy("clip.id")
    .execute();
}

type ClipRow = Awaited<ReturnType<typeof clipsOf>>[number];

/** What a station says of a clip: see the metadata schema of the ingest room. */
interface Told {
  readonly fileName?: string;
  readonly collectorNumber?: string;
  readonly capturedAt?: string;
  readonly capturedAtZone?: string;
  readonly important?: boolean;
  readonly caseNumber?: string;
  readonly evidencePurpose?: string;
  readonly stage?: string;
  readonly place?: { readonly text?: string };
}

function checkReceived(clip: ClipRow, page: ClipPage, compared: Comparison): void {
  const [received, ...others] = page.events(clip.id, "clip.received");
  if (received === undefined || others.length > 0) {
    compared.differs(`the log says ${others.length + (received === undefined ? 0 : 1)} times that it was received`);
  }
  if (received === undefined) return;
  const { metadata, sha256, sizeBytes, station = null, recorderSerial = null, stored } = received.details;
  const said = metadata as Told;
  const at = stored as { key?: string; versionId?: string } | undefined;
  compared.members(
    { ...clip, recorderSerial: clip.serial, station: clip.stationId },
    {
      ...{ sha256, sizeBytes, station, recorderSerial, metadata, source: received.details["source"] ?? "station" },
      ...{ objectKey: at?.key, versionId: at?.versionId },
      fileName: said.fileName,
      collectorNumber: said.collectorNumber,
      capturedAtRaw: said.capturedAt,
      important: said.important ?? false,
      caseNumber: said.caseNumber ?? null,
      evidencePurpose: said.evidencePurpose ?? null,
      stage: said.stage ?? null,
      placeText: said.place?.text ?? null,
    },
    "clip.received",
  );
  const captured = capturedInstant(said.capturedAt ?? "", said.capturedAtZone) ?? null;
  compared.instant("capturedAt", clip.capturedAt, captured, "clip.received");
  within("receivedAt", clip.receivedAt, received.at, compared);
}

function checkHashed(clip: ClipRow, page: ClipPage, compared: Comparison): void {
  const [hashed, ...others] = page.events(clip.id, "clip.hashed");
  if (others.length > 0) compared.differs("the log says more than once that it was hashed");
  const expected = hashed?.details ?? { sm3: null, chunkRoot: null, retainedUntil: null };
  const { sizeBytes, sha256, sm3, chunkRoot, retainedUntil } = expected;
  const source = hashed === undefined ? "the log, which does not say that it was hashed," : "clip.hashed";
  compared.members({ ...clip }, { sizeBytes, sha256, sm3, chunkRoot }, source);
  compared.instant("retainedUntil", clip.retainedUntil, retainedUntil, source);
}

function checkState(clip: ClipRow, page: ClipPage, compared: Comparison): void {
  const has = (type: string): boolean => page.events(clip.id, type).length > 0;
  const [sealed] = page.events(clip.id, "clip.sealed");
  // A repair of a sealed clip brings it back from quarantine.
  const last = page.events(clip.id, "clip.quarantined", "clip.repaired").at(-1);
  const quarantined = last?.type === "clip.quarantined" || (sealed === undefined && has("clip.quarantined"));
  const sound = sealed !== undefined ? "sealed" : has("clip.hashed") ? "hashed" : "received";
  const reason = quarantined ? page.events(clip.id, "clip.quarantined").at(-1)?.details["reason"] : null;
  compared.members(
    { state: clip.state, quarantineReason: clip.quarantineReason },
    { state: quarantined ? "quarantined" : sound, quarantineReason: reason },
    "the log",
  );
  if (sealed === undefined) compared.members({ sealedAt: clip.sealedAt }, { sealedAt: null }, "the log");
  else within("sealedAt", clip.sealedAt, sealed.at, compared);
}

/** A row's time and its event's were read off the same clock in one transaction, which takes at most half a minute. */
function within(name: string, found: string | null, eventAt: string, compared: Comparison): void {
  const apart = Math.abs(Date.parse(found ?? "") - Date.parse(eventAt));
  if (!(apart < 60_000)) compared.differs(`${name} is ${found}, but its event is of ${eventAt}`);
}
