import type { Binding, CaseDetail, Clip } from "../api/types.ts";
import { groupedBindings } from "../shared/binding-facts.tsx";

/** A clip that is bound to the case now, with the revisions of its binding, newest first. */
export interface Entry {
  readonly clip: Clip;
  readonly revisions: readonly Binding[];
}

export interface Contents {
  /** Video, audio and photos, by time of capture. */
  readonly footage: readonly Entry[];
  /** Text records and whatever else is no recording, by time as well. */
  readonly documents: readonly Entry[];
  /** Bindings that were withdrawn, or lead to another case now; the one that changed last comes first. */
  readonly former: readonly (readonly Binding[])[];
}

export function contentsOf(file: CaseDetail): Contents {
  const clips = new Map(file.clips.map((clip) => [clip.id, clip]));
  const entries: Entry[] = [];
  const former: (readonly Binding[])[] = [];
  for (const revisions of groupedBindings(file.bindings)) {
    const [current] = revisions;
    const clip = current === undefined ? undefined : clips.get(current.clipId);
    const holds = current !== undefined && !current.withdrawn && current.caseId === file.id;
    if (holds && clip !== undefined) entries.push({ clip, revisions });
    else former.push(revisions);
  }
  const sorted = entries.toSorted((a, b) => capturedOrReceived(a.clip).localeCompare(capturedOrReceived(b.clip)));
  const isDocument = ({ clip }: Entry): boolean => clip.kind === "text" || clip.kind === "other";
  return { footage: sorted.filter((entry) => !isDocument(entry)), documents: sorted.filter(isDocument), former };
}

/** Where the recorder named no zone it is not known when a clip was captured, only that it was before it came. */
function capturedOrReceived({ capturedAt, receivedAt }: Clip): string {
  return capturedAt ?? receivedAt;
}
