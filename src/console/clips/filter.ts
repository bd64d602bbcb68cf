import type { ClipKind, ClipState } from "../api/types.ts";

export type View = "table" | "wall";

/**
 * What of the clips is shown. All of it stands in the address, under the names that the API has for it, so that it can
 * be sent on and gone back to.
 */
export interface Filter {
  readonly view: View;
  /** Part of a file name or case number. */
  readonly text?: string;
  readonly unbound?: boolean;
  readonly state?: ClipState;
  /** Days in China, both included: `2026-11-21`. */
  readonly capturedFrom?: string;
  readonly capturedTo?: string;
  readonly kind?: ClipKind;
  readonly recorder?: string;
  readonly station?: string;
  readonly collector?: string;
  readonly receivedFrom?: string;
  readonly receivedTo?: string;
  readonly important?: boolean;
  readonly playable?: boolean;
  readonly case?: string;
  readonly sha256?: string;
}

export type FilterName = Exclude<keyof Filter, "view">;

export const clipStates = ["received", "hashed", "sealed", "quarantined"] as const satisfies readonly ClipState[];
export const clipKinds = ["video", "audio", "photo", "text", "other"] as const satisfies readonly ClipKind[];
/** Those that the bar always shows; the others are under "more". */
const always: ReadonlySet<string> = new Set(["text", "unbound", "state", "capturedFrom", "capturedTo"]);

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
export const sha256Form = /^[0-9a-f]{64}$/;
/** Serials and certificate numbers. */
export const codeForm = /^[\x21-\x7e]{1,64}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what the API refuses in a text
export const textForm = /^[^\u0000-\u001f\u007f]{2,100}$/u;

const isDay = (text: string): boolean =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) &&
  !Number.isNaN(Date.parse(text)) &&
  new Date(text).toISOString().startsWith(text) &&
  text >= "1900";
const isBoolean = (text: string): boolean => text === "true" || text === "false";
const isOne = (of: readonly string[]) => (text: string) => of.includes(text);
const matches = (form: RegExp) => (text: string) => form.test(text);

/** In the order in which they stand in an address and among the chips. */
const takes: Readonly<Record<FilterName, (text: string) => boolean>> = {
  text: matches(textForm),
  unbound: isBoolean,
  state: isOne(clipStates),
  capturedFrom: isDay,
  capturedTo: isDay,
  kind: isOne(clipKinds),
  recorder: matches(codeForm),
  station: matches(uuid),
  collector: matches(codeForm),
  receivedFrom: isDay,
  receivedTo: isDay,
  important: isBoolean,
  playable: isBoolean,
  case: matches(uuid),
  sha256: matches(sha256Form),
};
export const filterNames = Object.keys(takes) as readonly FilterName[];

/** What in an address is no filter is left out. */
export function filterOf(search: URLSearchParams): Filter {
  const found = filterNames.flatMap((name): [string, string | boolean][] => {
    const text = search.get(name);
    if (text === null || !takes[name](text)) return [];
    return [[name, takes[name] === isBoolean ? text === "true" : text]];
  });
  return { view: search.get("view") === "wall" ? "wall" : "table", ...Object.fromEntries(found) };
}

export function searchOf(filter: Filter): URLSearchParams {
  const search = new URLSearchParams(
    filterNames.flatMap((name) => (filter[name] === undefined ? [] : [[name, String(filter[name])]])),
  );
  if (filter.view === "wall") search.set("view", filter.view);
  return search;
}

/** The same as the API takes it: days are instants there, and an interval ends before its last one. */
export function queryOf({ view: _view, capturedFrom, capturedTo, receivedFrom, receivedTo, ...rest }: Filter) {
  return {
    ...rest,
    ...(capturedFrom !== undefined && { capturedFrom: beginOf(capturedFrom, 0) }),
    ...(capturedTo !== undefined && { capturedTo: beginOf(capturedTo, 1) }),
    ...(receivedFrom !== undefined && { receivedFrom: beginOf(receivedFrom, 0) }),
    ...(receivedTo !== undefined && { receivedTo: beginOf(receivedTo, 1) }),
  };
}

/** Midnight in China of a day, or of one so many days later. */
function beginOf(day: string, later: number): string {
  return `${new Date(Date.parse(day) + later * 86_400_000).toISOString().slice(0, 10)}T00:00:00+08:00`;
}

/** With one of them set anew, or without it. */
export function withFilter<N extends FilterName>(filter: Filter, name: N, value: Filter[N] | undefined): Filter {
  const { [name]: _before, ...rest } = filter;
  return (value === undefined ? rest : { ...rest, [name]: value }) as Filter;
}

/** Names of the filters that are set. */
export function activeFilters(filter: Filter): FilterName[] {
  return filterNames.filter((name) => filter[name] !== undefined);
}

/** How many of those that are set do not always show. */
export function hiddenFilters(filter: Filter): number {
  return activeFilters(filter).filter((name) => !always.has(name)).length;
}
