import type { EvidenceStore } from "#store";

/** A store of which some calls are other ones. */
export function storeWith(store: EvidenceStore, calls: Partial<EvidenceStore>): EvidenceStore {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(calls, name) ?? Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
