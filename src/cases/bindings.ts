import { appendEvent } from "#custody";
import { type Database, finishStep, inTransaction, isUniqueViolation, stepIsPending, type Tx } from "#db";
import { type Actor, actorName, type PersonActor, type SystemActor } from "#identity";
import { clipRecord, holdClip } from "#ingest";
import { DocksealError, newId } from "#kernel";
import { caseNumbered, caseOf } from "./cases.ts";

/** What is said about a clip in a case beside the case number: with it, the five annotations that the plans ask for. */
export interface Annotations {
  /** 采集时间, as people write it. */
  readonly capturedAt: string;
  /** 采集地点 */
  readonly capturePlace: string;
  /** 采集人: the certificate number. */
  readonly collectorNumber: string;
  /** 证明对象 */
  readonly evidencePurpose: string;
  /** 执法环节 */
  readonly stage: string | null;
}

export interface Binding extends Annotations {
  readonly id: string;
  readonly revision: number;
  readonly clipId: string;
  readonly caseId: string;
  readonly withdrawn: boolean;
  readonly reason: string | null;
  readonly madeBy: string;
  readonly createdAt: string;
}

const binder: SystemActor = { type: "system", id: "bind" };

/** What is known of a clip before anybody says more: the recorder's own facts, to be filled into a binding. */
function knownAnnotations(clip: {
  capturedAtRaw: string;
  placeText: string | null;
  collectorNumber: string;
  stage: string | null;
}) {
  return {
    capturedAt: clip.capturedAtRaw,
    capturePlace: clip.placeText ?? "",
    collectorNumber: clip.collectorNumber,
    stage: clip.stage,
  };
}

/**
 * Binds a clip to the case that its upload named, when it named a case number and a purpose. Every other clip stays in
 * the tray of unbound clips. Done already: nothing.
 */
export async function bindClip(db: Database, clipId: string): Promise<void> {
  if (!(await stepIsPending(db, clipId, "bind"))) return;
  await inTransaction(db, async (tx) => {
    if (!(await finishStep(tx, clipId, "bind"))) return;
    const clip = await clipRecord(tx, clipId);
    if (clip.caseNumber === null || clip.evidencePurpose === null) return;
    const file = await caseNumbered(tx, clip.organizationId, clip.caseNumber, binder);
    await addRevision(tx, {
      binding: {
        id: newId(),
        revision: 1,
        clipId,
        caseId: file.id,
        withdrawn: false,
        ...knownAnnotations(clip),
        evidencePurpose: clip.evidencePurpose,
        reason: null,
      },
      actor: binder,
      type: "clip.bound",
    });
  });
}

/** What a person says when binding; what is left out is taken from the clip. */
export type WantedBinding = {
  readonly clipId: string;
  readonly evidencePurpose: string;
  /** Refuses a clip that is bound to any case: it is no longer what somebody saw in the tray. */
  readonly onlyUnbound?: boolean | undefined;
} & {
  readonly [K in "capturedAt" | "capturePlace" | "collectorNumber" | "stage"]?: string | undefined;
};

/**
 * @throws DocksealError `not-found` for a clip or case of another organization; `conflict` with `bindingId` and `caseId`
 * when the two are bound already, or the clip to another case where it should be bound to none.
 */
export function bind(db: Database, caseId: string, wanted: WantedBinding, actor: PersonActor): Promise<Binding> {
  return inTransaction(db, (tx) => bindIn(tx, caseId, wanted, actor));
}

/** As {@link bind}, in the caller's transaction. */
export async function bindIn(tx: Tx, caseId: string, wanted: WantedBinding, actor: PersonActor): Promise<Binding> {
  const file = await caseOf(tx, caseId, actor.organizationId);
  const clip = await clipRecord(tx, wanted.clipId);
  if (clip.organizationId !== actor.organizationId) throw new DocksealError("not-found", { detail: "No such clip" });
  // One binding of a clip to a case: whoever holds the clip sees what the one before has bound.
  await holdClip(tx, clip.id);
  await refuseBound(tx, clip.id, file.id);
  if (wanted.onlyUnbound === true) await refuseBound(tx, clip.id);
  const known = knownAnnotations(clip);
  const binding = {
    id: newId(),
    revision: 1,
    clipId: clip.id,
    caseId: file.id,
    withdrawn: false,
    capturedAt: wanted.capturedAt ?? known.capturedAt,
    capturePlace: wanted.capturePlace ?? known.capturePlace,
    collectorNumber: wanted.collectorNumber ?? known.collectorNumber,
    evidencePurpose: wanted.evidencePurpose,
    stage: wanted.stage ?? known.stage,
    reason: null,
  };
  if (binding.capturePlace === "") {
    const errors = [{ field: "capturePlace", problem: "is needed: the upload named no place" }];
    throw new DocksealError("malformed-field", {
      detail: "capturePlace is needed: the upload named no place",
      extra: { errors },
    });
  }
  return addRevision(tx, { binding, actor, type: "clip.bound" });
}

/** @throws DocksealError `conflict` when a binding other than `except` binds the clip to the case, or to any case. */
async function refuseBound(tx: Tx, clipId: string, caseId?: string, except?: string): Promise<void> {
  let query = tx
    .selectFrom("currentBinding")
    .select(["id", "caseId"])
    .where("clipId", "=", clipId)
    .where("withdrawn", "=", false);
  if (caseId !== undefined) query = query.where("caseId", "=", caseId);
  if (except !== undefined) query = query.where("id", "!=", except);
  const existing = await query.executeTakeFirst();
  if (existing === undefined) return;
  throw new DocksealError("conflict", {
    detail: `The clip is bound to ${caseId === undefined ? "a" : "this"} case by binding ${existing.id}`,
    extra: { bindingId: existing.id, caseId: existing.caseId },
  });
}

export interface Correction {
  /** Another case, when the clip was bound to the wrong one. */
  readonly caseId?: string | undefined;
  readonly capturedAt?: string | undefined;
  readonly capturePlace?: string | undefined;
  readonly collectorNumber?: string | undefined;
  readonly evidencePurpose?: string | undefined;
  /** null: none. */
  readonly stage?: string | null | undefined;
  /** true takes the binding back; a later correction with false brings it again. */
  readonly withdrawn?: boolean | undefined;
  /** Why: kept with the revision. */
  readonly reason: string;
}

/**
 * Corrects a binding by adding a revision; what stood there before stays readable.
 * @param ifRevision the revision that the person saw.
 * @throws DocksealError `precondition-failed` when somebody else corrected it meanwhile, `conflict` as {@link bind}.
 */
export async function correctBinding(
  db: Database,
  bindingId: string,
  ifRevision: number,
  correction: Correction,
  actor: PersonActor,
): Promise<Binding> {
  try {
    return await inTransaction(db, async (tx) => {
      const current = await currentBinding(tx, bindingId, actor.organizationId);
      if (current.revision !== ifRevision)
        throw new DocksealError("precondition-failed", { detail: `revision is ${current.revision}` });
      if (correction.caseId !== undefined) await caseOf(tx, correction.caseId, actor.organizationId);
      const { createdAt: _createdAt, madeBy: _madeBy, ...rest } = current;
      const changes = Object.fromEntries(Object.entries(correction).filter(([, value]) => value !== undefined));
      const binding = { ...rest, ...changes, revision: current.revision + 1 };
      await holdClip(tx, binding.clipId);
      if (!binding.withdrawn) await refuseBound(tx, binding.clipId, binding.caseId, binding.id);
      return addRevision(tx, { binding, actor, type: binding.withdrawn ? "clip.unbound" : "clip.rebound" });
    });
  } catch (error) {
    if (isUniqueViolation(error, "binding_pkey")) throw new DocksealError("precondition-failed", { cause: error });
    throw error;
  }
}

interface Revision {
  readonly binding: Omit<Binding, "createdAt" | "madeBy">;
  readonly actor: Actor;
  readonly type: "clip.bound" | "clip.rebound" | "clip.unbound";
}

async function addRevision(tx: Tx, { binding, actor, type }: Revision): Promise<Binding> {
  const row = await tx
    .insertInto("binding")
    .values({ ...binding, madeBy: actorName(actor) })
    .returningAll()
    .executeTakeFirstOrThrow();
  const { clipId, caseId, ...details } = binding;
  await appendEvent(tx, { type, clipId, caseId, actor, details });
  return row;
}

async function currentBinding(db: Database | Tx, id: string, organizationId: string): Promise<Binding> {
  const row = await db
    .selectFrom("currentBinding")
    .innerJoin("caseFile", "caseFile.id", "currentBinding.caseId")
    .selectAll("currentBinding")
    .where("currentBinding.id", "=", id)
    .where("caseFile.organizationId", "=", organizationId)
    .executeTakeFirst();
  if (row === undefined) throw new DocksealError("not-found", { detail: "No such binding" });
  return row as Binding;
}

/** All revisions of all bindings of a clip or of a case, oldest first. */
export function bindingRevisions(db: Database, of: { clipId: string } | { caseId: string }): Promise<Binding[]> {
  const query = db.selectFrom("binding").selectAll().orderBy("createdAt").orderBy("revision");
  if ("clipId" in of) return query.where("clipId", "=", of.clipId).execute();
  return query
    .where("id", "in", (eb) => eb.selectFrom("binding").select("id").where("caseId", "=", of.caseId))
    .execute();
}
