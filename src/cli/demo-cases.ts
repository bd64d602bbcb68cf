import { type CaseName, caseNumber, cases } from "./demo-cast.ts";
import type { PersonClient } from "./person-client.ts";

// What handlers do: open cases, and bind what the tray holds.

interface CaseFile {
  readonly id: string;
  readonly number: string;
}
interface Binding {
  readonly id: string;
  readonly revision: number;
}
/** Of a clip, as much as these need. */
export interface BoundClip {
  readonly id: string;
  readonly fileName: string;
  readonly placeText: string | null;
  readonly bindings: readonly (Binding & { readonly caseId: string; readonly withdrawn: boolean })[];
}

/** Opens the cases of the demo that are not open yet, so that what stations send finds them with their titles. */
export async function openCases(handler: PersonClient, nowMs: number): Promise<void> {
  for (const name of Object.keys(cases) as CaseName[]) {
    await caseFor(handler, caseNumber(name, nowMs), cases[name].title);
  }
}

async function caseFor(handler: PersonClient, number: string, title: string): Promise<CaseFile> {
  const { items } = await handler.get<{ items: CaseFile[] }>(`/api/v1/cases?number=${encodeURIComponent(number)}`);
  const known = items.find((file) => file.number === number);
  return known ?? handler.post<CaseFile>("/api/v1/cases", { number, title });
}

/**
 * Binds two recordings of the plant to their case, and corrects what was written wrong; the others stay in the tray.
 * @returns the clips that are bound by hand now, with the number of their case.
 */
export async function bindPlant(
  handler: PersonClient,
  clips: readonly BoundClip[],
  nowMs: number,
): Promise<ReadonlyMap<string, string>> {
  const number = caseNumber("plant", nowMs);
  const file = await caseFor(handler, number, cases.plant.title);
  const wanted = [
    { ends: "_IMP.mov", evidencePurpose: "证明废水直接排入河道", correct: "证明废水未经处理直接排入河道" },
    { ends: "MOVI0007.avi", evidencePurpose: "证明排污口的位置和排放状态", correct: undefined },
  ];
  const bound = new Map<string, string>();
  for (const { ends, evidencePurpose, correct } of wanted) {
    const clip = clips.find(
      ({ fileName }) => fileName.includes("_02_") === ends.startsWith("_") && fileName.endsWith(ends),
    );
    if (clip === undefined) continue;
    bound.set(clip.id, number);
    if (clip.bindings.length > 0) continue;
    const capturePlace = clip.placeText ?? "示范县工业园区";
    const binding = { clipId: clip.id, evidencePurpose, capturePlace, stage: "现场检查" };
    const { id, revision } = await handler.post<Binding>(`/api/v1/cases/${file.id}/bindings`, binding);
    if (correct === undefined) continue;
    const correction = { evidencePurpose: correct, reason: "证明对象填写不完整，补充“未经处理”" };
    await handler.patch(`/api/v1/bindings/${id}`, revision, correction);
  }
  return bound;
}

/** Recordings of whoever tries the product: the first that no case has is bound to one. */
export async function bindFirst(
  handler: PersonClient,
  clips: readonly BoundClip[],
  year: string,
): Promise<ReadonlyMap<string, string>> {
  const clip = clips.find(({ bindings }) => bindings.length === 0);
  if (clip === undefined) return new Map();
  const file = await caseFor(handler, `演示〔${year}〕第1号`, "从待绑定列表中绑定");
  await handler.post(`/api/v1/cases/${file.id}/bindings`, {
    clipId: clip.id,
    evidencePurpose: "证明现场检查过程",
    capturePlace: clip.placeText ?? "示范县人民路",
    stage: "现场检查",
  });
  return new Map([[clip.id, file.number]]);
}
