import type { Binding } from "#cases";
import type { Database } from "#db";
import { displayNames } from "#identity";

export type NamedBinding = Binding & { readonly madeByName: string | null };

/** Revisions with the names of the people who made them: the record itself holds ids only. */
export async function namedBindings(
  db: Database,
  organizationId: string,
  bindings: readonly Binding[],
): Promise<NamedBinding[]> {
  const idOf = ({ madeBy }: Binding): string | undefined => /^person:(.+)$/.exec(madeBy)?.[1];
  const ids = new Set(bindings.map(idOf).filter((id) => id !== undefined));
  const names = await displayNames(db, organizationId, [...ids]);
  return bindings.map((binding) => ({ ...binding, madeByName: names.get(idOf(binding) ?? "") ?? null }));
}
