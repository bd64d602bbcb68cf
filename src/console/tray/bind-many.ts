import { api, asked } from "../api/client.ts";
import { Problem } from "../api/problem.ts";
import type { CaseFile, Clip } from "../api/types.ts";
import { bindingsChanged } from "../shared/bindings-changed.ts";
import { newCaseNumber } from "../shared/case-select.tsx";

/** What is said of all of them; what is left out each clip keeps as it came. */
export interface SaidOfAll {
  /** An id, or the number of a case that is to be opened. */
  readonly caseId: string;
  readonly caseTitle?: string;
  readonly evidencePurpose: string;
  readonly stage?: string;
  /** For the clips that came without one. */
  readonly missingPlace?: string;
}

/** `already`: it was bound to this very case before, by an earlier try or by somebody else; nothing was bound now. */
export type Outcome =
  | { readonly state: "waiting" }
  | { readonly state: "bound" }
  | { readonly state: "already" }
  | { readonly state: "failed"; readonly error: Error; readonly otherCaseId: string };

/** So many requests at once: a long list is done soon, and others still get their turn. */
const lanes = 4;

/** The case that was chosen, or the one that is opened for it now. @throws what the API refused. */
export async function caseFor({ caseId, caseTitle }: SaidOfAll): Promise<CaseFile> {
  const number = newCaseNumber(caseId);
  if (number === undefined) return asked(api.GET("/api/v1/cases/{id}", { params: { path: { id: caseId } } }));
  const title = caseTitle?.trim();
  try {
    return await asked(api.POST("/api/v1/cases", { body: { number, ...(title ? { title } : {}) } }));
  } catch (error) {
    if (!(error instanceof Problem && error.code === "conflict")) throw error;
    // Opened by somebody else since, or by a try of ours whose answer was lost.
    const found = await asked(api.GET("/api/v1/cases", { params: { query: { number, limit: 200 } } }));
    const same = found.items.find((file) => file.number === number);
    if (same === undefined) throw error;
    return same;
  }
}

/**
 * Binds each of the clips to the case, and tells what came of each. One that fails stops none of the others; a second run
 * binds nothing twice, because the server binds only what is bound to nothing.
 */
export async function bindMany(
  file: CaseFile,
  clips: readonly Clip[],
  said: SaidOfAll,
  onOutcome: (clipId: string, outcome: Outcome) => void,
): Promise<void> {
  const waiting = [...clips];
  const lane = async (): Promise<void> => {
    for (let clip = waiting.shift(); clip !== undefined; clip = waiting.shift()) {
      onOutcome(clip.id, await bindOne(file, clip, said));
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  bindingsChanged();
}

async function bindOne(file: CaseFile, clip: Clip, said: SaidOfAll): Promise<Outcome> {
  const { evidencePurpose, stage, missingPlace } = said;
  const place = clip.placeText === null && missingPlace ? { capturePlace: missingPlace.trim() } : {};
  const body = { clipId: clip.id, evidencePurpose: evidencePurpose.trim(), onlyUnbound: true, ...place };
  try {
    await asked(
      api.POST("/api/v1/cases/{id}/bindings", {
        params: { path: { id: file.id } },
        body: { ...body, ...(stage?.trim() ? { stage: stage.trim() } : {}) },
      }),
    );
    return { state: "bound" };
  } catch (error) {
    if (error instanceof Problem && error.code === "conflict" && error.caseId === file.id) return { state: "already" };
    const otherCaseId = error instanceof Problem ? error.caseId : "";
    return { state: "failed", error: error instanceof Error ? error : new Error(String(error)), otherCaseId };
  }
}
