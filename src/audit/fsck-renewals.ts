import { createHash } from "node:crypto";
import { type Report, reportRefused } from "#custody";
import type { Tx } from "#db";
import { imprintsOf, verifyTimestampChain } from "#evidence";
import type { ClipPage } from "./clip-pages.ts";
import { Comparison } from "./differences.ts";

/** Renewals of timestamps, each over the token before, against the log. */
export async function fsckRenewals(tx: Tx, page: ClipPage, report: Report): Promise<void> {
  const rows = await renewalsOf(tx, page.ids);
  const byClip = Map.groupBy(rows, ({ clipId }) => clipId);
  for (const clipId of page.ids) {
    const renewals = byClip.get(clipId) ?? [];
    const compared = new Comparison(report, "timestamp-renewal", clipId);
    const events = page.events(clipId, "clip.timestamp-renewed");
    if (events.length !== renewals.length) {
      compared.differs(
        `the log says that it was renewed ${events.length} times, there are ${renewals.length} renewals`,
      );
    }
    for (const [at, row] of renewals.entries()) {
      const event = events.find(({ id }) => id === row.eventId);
      if (event === undefined) compared.differs(`the log does not say that generation ${row.generation} was made`);
      const { generation, renewedSha256, timestamp } = event?.details ?? {};
      const { tokenSha256, independent, genTime } = (timestamp ?? {}) as Readonly<Record<string, unknown>>;
      const before = at === 0 ? row.first : renewals[at - 1]?.token;
      const found = { ...row, renewedSha256: before && sha256Of(before), tokenSha256: sha256Of(row.token) };
      compared.members(found, { generation, renewedSha256, tokenSha256, independent }, "clip.timestamp-renewed");
      compared.instant("generatedAt", row.generatedAt, genTime, "clip.timestamp-renewed");
    }
    const [first] = renewals;
    if (first === undefined) continue;
    reportRefused(report, "timestamp-renewal", clipId, () => {
      const roots = [...first.firstRoots, ...renewals.flatMap((row) => row.roots)];
      const tokens = [first.first, ...renewals.map(({ token }) => token)];
      verifyTimestampChain(tokens, { imprint: imprintsOf(first.manifest), roots });
    });
  }
}

function renewalsOf(tx: Tx, ids: readonly string[]) {
  return tx
    .selectFrom("timestampRenewal")
    .innerJoin("sealTimestamp", "sealTimestamp.clipId", "timestampRenewal.clipId")
    .innerJoin("sealManifest", "sealManifest.clipId", "timestampRenewal.clipId")
    .selectAll("timestampRenewal")
    .select(["manifest", "sealTimestamp.token as first", "sealTimestamp.roots as firstRoots"])
    .where("timestampRenewal.clipId", "in", ids)
    .orderBy("timestampRenewal.clipId")
    .orderBy("generation")
    .execute();
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
