import { anyMembers, decodeUtf8, literal, parseCheckpoint, parseJsonOnce, parseNote } from "#evidence";
import { canonicalJson, type Json } from "#kernel";
import type { BagClip } from "./bag-clips.ts";
import type { OpenedEvent } from "./bag-custody.ts";
import type { BagFiles } from "./bag-files.ts";
import { CheckGroups } from "./check-groups.ts";
import { type CheckList, failed, needed, notChecked } from "./check-list.ts";

// What people read, the case file and the electronic-data list, against what is proven: originals, receipts and custody
// events. Both may hold more for people than is compared here; the bag's signature covers that.

/** Events that say what a revision of a binding says. */
export const BINDING_EVENTS: ReadonlySet<string> = new Set(["clip.bound", "clip.rebound", "clip.unbound"]);

const CASE_FILE = "data/case.json";
const LIST_FILE = "data/electronic-data-list.json";
const ANNOTATIONS = ["capturedAt", "capturePlace", "collectorNumber", "evidencePurpose", "stage"] as const;

type Members = Readonly<Record<string, unknown>>;

interface CaseContents {
  /** What was exported: the id of the case, or of the clip. */
  readonly caseId: unknown;
  readonly clipId: unknown;
  readonly number: unknown;
  readonly clips: readonly Members[];
  readonly bindings: readonly Members[];
}

/** What the bag's lists are compared with. */
export interface Proven {
  readonly clips: ReadonlyMap<string, BagClip>;
  /** Opened events of the {@link BINDING_EVENTS}. */
  readonly events: readonly OpenedEvent[];
  /** Note of the bag's checkpoint. */
  readonly checkpoint: string | undefined;
}

/** @returns the case's number, when it has one. */
export async function checkCase(list: CheckList, files: BagFiles, proven: Proven): Promise<string | undefined> {
  const caseBytes = await files.read(CASE_FILE);
  const contents = list.make("case-file", "well formed", () => caseContents(caseBytes()));
  const clips = new CheckGroups();
  checkListed(clips, "case-clips", CASE_FILE, { listed: contents?.clips, id: "id", clips: proven.clips });
  clips.into(list);
  const bindings = new CheckGroups();
  if (contents !== undefined) checkBindings(bindings, contents, proven);
  bindings.into(list);

  const listBytes = await files.read(LIST_FILE);
  const dataList = list.make("electronic-data-list", "well formed, and about the bag's checkpoint", () =>
    listContents(listBytes(), proven.checkpoint),
  );
  const items = new CheckGroups();
  checkListed(items, "list-items", LIST_FILE, { listed: dataList, id: "clip", clips: proven.clips });
  for (const item of dataList ?? []) {
    const path = String(item["path"]);
    items.make("list-receipts", "sealed when and where the receipt says", path, () => {
      const clip = needed(proven.clips.get(String(item["clip"])));
      const { sealedAt, log } = needed(clip.receipt);
      requireSame(item, { receipt: clip.receiptPath, sealedAt, logIndex: log.index });
    });
    items.make("list-annotations", "annotated as the binding says", path, () =>
      checkAnnotations(item, needed(contents)),
    );
  }
  items.into(list);
  return typeof contents?.number === "string" ? contents.number : undefined;
}

function caseContents(bytes: Buffer): CaseContents {
  const members = anyMembers(parseJsonOnce(decodeUtf8(bytes, CASE_FILE), CASE_FILE), CASE_FILE);
  literal(members["type"] as string, "dockseal/export-case@v1", `${CASE_FILE}: \`type\``);
  const subject = anyMembers(members["subject"], `${CASE_FILE}: \`subject\``);
  return {
    caseId: subject["case"],
    clipId: subject["clip"],
    number: members["number"],
    clips: objects(members["clips"], `${CASE_FILE}: \`clips\``),
    bindings: objects(members["bindings"], `${CASE_FILE}: \`bindings\``),
  };
}

function listContents(bytes: Buffer, note: string | undefined): Members[] {
  const members = anyMembers(parseJsonOnce(decodeUtf8(bytes, LIST_FILE), LIST_FILE), LIST_FILE);
  literal(members["type"] as string, "dockseal/electronic-data-list@v1", `${LIST_FILE}: \`type\``);
  if (note !== undefined) {
    const { origin, size, root } = parseCheckpoint(parseNote(note).text);
    const stated = anyMembers(members["checkpoint"], `${LIST_FILE}: \`checkpoint\``);
    requireSame(stated, { origin, size, root: root.toString("base64") });
  }
  return objects(members["items"], `${LIST_FILE}: \`items\``);
}

interface Listed {
  readonly listed: readonly Members[] | undefined;
  /** Member that names the clip. */
  readonly id: string;
  readonly clips: ReadonlyMap<string, BagClip>;
}

/** Every original is listed once, as what it is, and nothing else is. */
function checkListed(groups: CheckGroups, name: string, path: string, { listed, id, clips }: Listed): void {
  for (const [clipId, clip] of clips) {
    groups.make(name, "an original as it is in the bag", clip.path, () => {
      const [entry, ...more] = needed(listed).filter((entry) => entry[id] === clipId);
      if (entry === undefined) throw failed(`${path} does not list it`);
      if (more.length > 0) throw failed(`${path} lists it twice`);
      const { sizeBytes, sha256, sm3 } = clip.facts;
      requireSame(entry, { path: clip.path, sizeBytes, sha256, sm3 });
    });
  }
  for (const entry of listed ?? []) {
    if (clips.has(String(entry[id]))) continue;
    groups.make(name, "", `${path}: ${entry["path"]}`, () => {
      throw failed("is not in the bag");
    });
  }
}

/** Each revision is what an event says, and each event about this case or clip is a revision. */
function checkBindings(groups: CheckGroups, { caseId, clipId, bindings }: CaseContents, proven: Proven): void {
  const name = "case-bindings";
  const good = "a revision that a custody event says word for word";
  const unmatched = new Map(proven.events.map((event) => [revisionOf(anyMembers(event.details, event.path)), event]));
  for (const binding of bindings) {
    const revision = revisionOf(binding);
    groups.make(name, good, `binding ${revision}`, () => {
      const event = unmatched.get(revision);
      unmatched.delete(revision);
      if (event !== undefined) return requireSaid(binding, event);
      if (binding["caseId"] === caseId || proven.clips.has(String(binding["clipId"]))) {
        throw failed("no custody event in the bag says so");
      }
      throw notChecked("it moved the clip to another case, whose events are not in this bag");
    });
  }
  for (const { path, leaf } of unmatched.values()) {
    if (leaf.subject["case"] !== caseId && leaf.subject["clip"] !== clipId) continue;
    groups.make(name, good, path, () => {
      throw failed(`${CASE_FILE} does not have this revision`);
    });
  }
}

function revisionOf(binding: Members): string {
  return `${binding["id"]} revision ${binding["revision"]}`;
}

function requireSaid(binding: Members, { leaf, details }: OpenedEvent): void {
  const { clipId, caseId, madeBy, createdAt: _byTheDatabase, ...said } = binding;
  requireSame(leaf.subject, { clip: clipId, case: caseId });
  // What the machine did by itself names nobody in the event.
  const { actor = madeBy, ...logged } = details as Members;
  if (actor !== madeBy) throw failed(`made by ${actor}, not by ${madeBy}`);
  if (canonicalJson(said as Json) !== canonicalJson(logged as Json)) throw failed("the event says something else");
}

/** The list shows the annotations of a binding that holds; a clip without one shows what its recorder said. */
function checkAnnotations(item: Members, { caseId, number, bindings }: CaseContents): void {
  const newest = new Map<unknown, Members>();
  for (const binding of bindings) {
    const known = newest.get(binding["id"]);
    if (known === undefined || Number(known["revision"]) < Number(binding["revision"]))
      newest.set(binding["id"], binding);
  }
  const holding = [...newest.values()].filter(
    (binding) =>
      binding["clipId"] === item["clip"] &&
      binding["withdrawn"] === false &&
      (caseId === undefined || binding["caseId"] === caseId),
  );
  if (holding.length === 0) throw notChecked("no binding holds: the list shows what the recorder said");
  const annotated = holding.some((binding) =>
    ANNOTATIONS.every((name) => binding[name] === null || item[name] === binding[name]),
  );
  if (!annotated) throw failed("no binding of the clip has these annotations");
  if (caseId !== undefined) requireSame(item, { caseNumber: number });
}

function requireSame(found: Members, expected: Members): void {
  for (const [name, value] of Object.entries(expected)) {
    if (found[name] !== value) throw failed(`\`${name}\` is ${found[name]} instead of ${value}`);
  }
}

function objects(value: unknown, what: string): Members[] {
  if (!Array.isArray(value)) throw failed(`${what} is not a list`);
  return value.map((item) => anyMembers(item, what));
}
