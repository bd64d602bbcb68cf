import type { Database } from "#db";
import { actorName, type PersonActor } from "#identity";
import { caseOf } from "./cases.ts";

/** What was said before of evidence purposes and stages, newest first: whoever binds shall not type it again. */
export interface Suggestions {
  readonly evidencePurposes: string[];
  readonly stages: string[];
}

/** So many revisions are looked at of the case, and as many of the person. */
const mostRemembered = 200;
/** So many suggestions of each: more are no help. */
const mostSuggested = 20;

/**
 * What of the case was said comes first, then what the person said in any case.
 * @throws DocksealError `not-found`, also for a case of another organization.
 */
export async function bindingSuggestions(
  db: Database,
  person: PersonActor,
  of: { readonly caseId?: string | undefined },
): Promise<Suggestions> {
  const newest = db
    .selectFrom("binding")
    .select(["evidencePurpose", "stage"])
    .orderBy("createdAt", "desc")
    .limit(mostRemembered);
  const said: { evidencePurpose: string; stage: string | null }[] = [];
  if (of.caseId !== undefined) {
    const file = await caseOf(db, of.caseId, person.organizationId);
    said.push(...(await newest.where("caseId", "=", file.id).execute()));
  }
  said.push(...(await newest.where("madeBy", "=", actorName(person)).execute()));
  const distinct = (texts: readonly (string | null)[]): string[] =>
    [...new Set(texts.filter((text) => text !== null))].slice(0, mostSuggested);
  return {
    evidencePurposes: distinct(said.map(({ evidencePurpose }) => evidencePurpose)),
    stages: distinct(said.map(({ stage }) => stage)),
  };
}
