import { DocksealError } from "#kernel";

/** Room for a suffix in a file name of 255 bytes (the filesystem adapter), far below the 1024 bytes of S3. */
const LONGEST_KEY = 200;

/** @throws DocksealError `internal` when the key is not of the port's form: keys are made by dockseal, never by people. */
export function checkKey(key: string): void {
  checkPrefix(key);
  if (key === "" || key.endsWith("/")) throw badKey(key);
}

/** The same for a prefix, which may be empty or end with a slash. */
export function checkPrefix(prefix: string): void {
  const segments = prefix.split("/");
  if (segments.at(-1) === "") segments.pop();
  const wellFormed = segments.every((segment) => /^[a-z0-9._-]+$/.test(segment) && segment !== "." && segment !== "..");
  if (prefix.length > LONGEST_KEY || !wellFormed) throw badKey(prefix);
}

function badKey(key: string): DocksealError {
  return new DocksealError("internal", {
    detail: `not a key of the evidence store: ${JSON.stringify(key.slice(0, 250))}`,
  });
}

/** @throws DocksealError `range-not-satisfiable` when it is not a range of whole bytes, both ends inclusive. */
export function checkRange(range: { readonly start: number; readonly end: number } | undefined): void {
  if (!range) return;
  const { start, end } = range;
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start) return;
  throw new DocksealError("range-not-satisfiable", { detail: `bytes ${start} to ${end}` });
}
