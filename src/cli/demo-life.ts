import { createHash } from "node:crypto";
import { chmod, open, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DocksealError, pause } from "#kernel";
import type { BoundClip } from "./demo-cases.ts";
import type { PersonClient } from "./person-client.ts";

// What happens in an office on the days after: people look, verify and export, a disk fails, an audit finds it. All of
// it by the API, but for the disk.

interface LivedClip extends BoundClip {
  readonly kind: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

interface Life {
  readonly people: Readonly<Record<"handler" | "supervisor" | "auditor", PersonClient>>;
  readonly clips: readonly LivedClip[];
  /** Folder of the evidence store. */
  readonly storeDir: string;
  readonly stop: AbortSignal;
}

/** Gaps are told of at once: nothing of the demo is still on its way. */
export async function reportGapsAtOnce(administrator: PersonClient): Promise<void> {
  const { revision: _, ...limits } = await administrator.get<Record<string, number>>("/api/v1/recording-limits");
  await administrator.put("/api/v1/recording-limits", { ...limits, settleSeconds: 0 });
}

/**
 * Lets it happen, once: where a case has been audited before, it has happened.
 * @returns the name of the file whose stored bytes were changed; undefined when nothing was done.
 */
export async function liveOn(life: Life): Promise<string | undefined> {
  const { handler, supervisor, auditor } = life.people;
  const { items: audits } = await auditor.get<{ items: { kind: string }[] }>("/api/v1/audits");
  if (audits.some(({ kind }) => kind === "manual")) return undefined;
  const named = (part: RegExp): LivedClip[] => life.clips.filter(({ fileName }) => part.test(fileName));
  const [first, second] = named(/^DCAM_01_.*\.mp4$/);
  if (first === undefined || second === undefined) return undefined;
  for (const clip of [first, second]) await view(supervisor, clip, "监督检查", "playback");
  await view(handler, first, "办案", "playback");
  await auditor.post(`/api/v1/clips/${first.id}/verify`);
  await view(auditor, first, "案卷评查", "original");
  await exportCase(life, caseOf(first));
  await acknowledgeGap(life);
  const failing = named(/^DCAM_03_.*\.jpg$/).at(-1);
  if (failing === undefined) return undefined;
  await changeOneByte(life.storeDir, failing);
  await audit(life);
  return failing.fileName;
}

/** The first bytes that are sent are what makes a viewing; what for is said before. */
async function view(person: PersonClient, { id }: LivedClip, purpose: string, rendition: string): Promise<void> {
  await person.post(`/api/v1/clips/${id}/viewings`, { purpose });
  await person.read(`/api/v1/clips/${id}/${rendition}`, 100);
}

function caseOf({ fileName, bindings }: LivedClip): string {
  const bound = bindings.find(({ withdrawn }) => !withdrawn);
  if (bound === undefined) throw new DocksealError("internal", { detail: `${fileName} is bound to no case` });
  return bound.caseId;
}

async function exportCase({ people: { handler }, stop }: Life, caseId: string): Promise<void> {
  const { id } = await handler.post<{ id: string }>(`/api/v1/cases/${caseId}/exports`);
  await until(stop, async () => {
    const { state } = await handler.get<{ state: string }>(`/api/v1/exports/${id}`);
    return state === "done" || state === "failed";
  });
  await handler.read(`/api/v1/exports/${id}/bag`, 512);
}

async function audit({ people: { auditor }, stop }: Life): Promise<void> {
  const { id } = await auditor.post<{ id: string }>("/api/v1/audits", {});
  await until(stop, async () => {
    const { state } = await auditor.get<{ state: string }>(`/api/v1/audits/${id}`);
    return state === "finished" || state === "failed";
  });
}

/** A supervisor accepts one of the gaps; the others stay open. */
async function acknowledgeGap({ people: { supervisor }, stop }: Life): Promise<void> {
  let found: { id: string } | undefined;
  await until(stop, async () => {
    const path = "/api/v1/findings?kind=gap-in-sequence&state=open";
    [found] = (await supervisor.get<{ items: { id: string }[] }>(path)).items;
    return found !== undefined;
  });
  if (found === undefined) return;
  const reason = "已向采集人核实：误按录制键后立即停止，无有效内容";
  await supervisor.post(`/api/v1/findings/${found.id}/acknowledge`, { reason });
}

/** As a disk does that fails: nobody is told, the size stays. */
async function changeOneByte(storeDir: string, clip: LivedClip): Promise<void> {
  const path = await storedFile(storeDir, clip);
  await chmod(path, 0o600);
  const file = await open(path, "r+");
  try {
    const at = Math.floor(clip.sizeBytes / 2);
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
    await file.write(Buffer.of((buffer[0] ?? 0) ^ 0x01), 0, 1, at);
  } finally {
    await file.close();
  }
  await chmod(path, 0o400);
}

/** The file in the store that holds a clip: by its bytes, for names there say nothing. */
async function storedFile(storeDir: string, { sizeBytes, sha256, fileName }: LivedClip): Promise<string> {
  for (const name of await readdir(storeDir, { recursive: true })) {
    const path = join(storeDir, name);
    const look = await stat(path);
    if (!look.isFile() || look.size !== sizeBytes) continue;
    if (
      createHash("sha256")
        .update(await readFile(path))
        .digest("hex") === sha256
    )
      return path;
  }
  throw new DocksealError("object-missing", { detail: `${fileName} is nowhere in ${storeDir}` });
}

async function until(stop: AbortSignal, is: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 240 && !stop.aborted; waited += 1) {
    if (await is()) return;
    await pause(250, stop);
  }
  if (!stop.aborted)
    throw new DocksealError("internal", { detail: "the demo waited a minute for nothing: see the logs" });
}
