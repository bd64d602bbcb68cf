import { DocksealError } from "#kernel";

/** A page of a list, made of one row more than it may hold, and the cursor of the next when there is one. */
export function pageOf<T>(
  rows: readonly T[],
  limit: number,
  cursorOf: (row: T) => string,
): { items: T[]; next?: string } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return rows.length <= limit || last === undefined ? { items } : { items, next: cursorOf(last) };
}

const uuidForm = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A cursor that is the id of the page's last row. @throws DocksealError `malformed-field`. */
export function idCursor(cursor: string): string {
  if (uuidForm.test(cursor)) return cursor;
  throw cursorRefused();
}

export function cursorRefused(): DocksealError {
  return new DocksealError("malformed-field", {
    extra: { errors: [{ field: "cursor", problem: "is not a cursor of this list" }] },
  });
}
