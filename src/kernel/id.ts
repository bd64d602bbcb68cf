import { v7 } from "uuid";

/** A new identifier: UUID version 7 (RFC 9562 §5.7), lower case, sortable by the time it was made. */
export function newId(): string {
  return v7();
}
