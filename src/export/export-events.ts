import { appendEvent, type EventType } from "#custody";
import type { Tx } from "#db";
import type { Actor } from "#identity";
import type { Subject } from "./dossier.ts";
import type { Exporter } from "./list/electronic-data-list.ts";
import type { WrittenBag } from "./write-bag.ts";

/** The custody event of an export, in the transaction that finishes it. */
export async function appendExported(
  tx: Tx,
  done: { exportId: string; subject: Subject; actor: Pick<Actor, "type" | "id">; exporter: Exporter },
  bag: WrittenBag,
): Promise<void> {
  const { exportId, subject, actor, exporter } = done;
  const { tagManifestSha256, payloadFiles, payloadBytes, checkpointSize } = bag;
  await appendAbout(tx, "exported", {
    exportId,
    subject,
    actor,
    details: {
      by: { name: exporter.name, role: exporter.role },
      tagManifestSha256,
      payloadFiles,
      payloadBytes,
      checkpointSize,
    },
  });
}

/** An event about the case or clip of an export, and about the export. */
export async function appendAbout(
  tx: Tx,
  what: "exported" | "export-fetched",
  event: { exportId: string; subject: Subject } & Pick<Parameters<typeof appendEvent>[1], "actor" | "details">,
): Promise<void> {
  const { exportId, subject, actor, details } = event;
  const type: EventType = "caseId" in subject ? `case.${what}` : `clip.${what}`;
  await appendEvent(tx, { type, ...subject, subject: { export: exportId }, actor, details: { exportId, ...details } });
}
