// Which rows of a list are chosen, and which one the keyboard is at. Rows are known by their ids: a list that changes
// meanwhile, because something arrives or is bound by somebody else, moves nobody's choice to another row.

export interface Selection {
  /** The row that the keyboard is at. */
  readonly cursor: string | undefined;
  /** Where that row was: when it is gone, the one in its place is taken. */
  readonly at: number;
  /** Where a range begins that is extended. */
  readonly anchor: string | undefined;
  /** What was chosen before the range. */
  readonly base: ReadonlySet<string>;
  readonly chosen: ReadonlySet<string>;
}

const none: ReadonlySet<string> = new Set();
export const nothingChosen: Selection = { cursor: undefined, at: 0, anchor: undefined, base: none, chosen: none };

type Ids = readonly string[];

/** The row that the keyboard is at, -1 in an empty list. */
export function placeOf(ids: Ids, { cursor, at }: Selection): number {
  const place = cursor === undefined ? -1 : ids.indexOf(cursor);
  return place === -1 ? Math.min(at, ids.length - 1) : place;
}

/** Goes so many rows down or, below 0, up. @param extend chooses every row from where the range began. */
export function moved(ids: Ids, selection: Selection, by: number, extend: boolean): Selection {
  const from = placeOf(ids, selection);
  if (from === -1) return selection;
  return extend ? rangeTo(ids, selection, clamp(ids, from + by)) : goTo(ids, selection, clamp(ids, from + by));
}

/** Chooses a row, or no longer; the keyboard is there then. */
export function toggled(ids: Ids, selection: Selection, id: string | undefined): Selection {
  const row = id ?? ids[placeOf(ids, selection)];
  if (row === undefined) return selection;
  const chosen = new Set(selection.chosen);
  if (!chosen.delete(row)) chosen.add(row);
  return { ...goTo(ids, selection, ids.indexOf(row)), chosen, base: chosen };
}

/** Chooses every row from where the keyboard was to that one. */
export function rangeTo(ids: Ids, selection: Selection, place: number): Selection {
  const begun = selection.anchor === undefined ? -1 : ids.indexOf(selection.anchor);
  const from = begun === -1 ? placeOf(ids, selection) : begun;
  const range = ids.slice(Math.min(from, place), Math.max(from, place) + 1);
  const cursor = ids[place];
  return { ...selection, cursor, at: place, anchor: ids[from], chosen: new Set([...selection.base, ...range]) };
}

/** All rows; when they are chosen already, none. */
export function allOrNone(ids: Ids, selection: Selection): Selection {
  const all = ids.every((id) => selection.chosen.has(id));
  return chosenOnly(selection, all ? [] : ids);
}

/** Only these. */
export function chosenOnly(selection: Selection, ids: Ids): Selection {
  const chosen = new Set(ids);
  return { ...selection, chosen, base: chosen };
}

function goTo(ids: Ids, selection: Selection, place: number): Selection {
  return { ...selection, cursor: ids[place], at: place, anchor: ids[place], base: selection.chosen };
}

function clamp(ids: Ids, place: number): number {
  return Math.min(ids.length - 1, Math.max(0, place));
}
