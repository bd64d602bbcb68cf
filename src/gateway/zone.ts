import { DocksealError } from "#kernel";

/** Zone of a station that says nothing of its own. */
export const defaultZone = "Asia/Shanghai";

/** @throws DocksealError `malformed-field` when it is no offset and no name that this machine knows. */
export function checkedZone(zone: string): string {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: zone });
    if (/^([+-]\d{2}:\d{2}|[A-Za-z]+(\/[A-Za-z0-9_+-]+){0,2})$/.test(zone)) return zone;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  const problem = "is no zone such as Asia/Shanghai or +08:00";
  throw new DocksealError("malformed-field", {
    detail: `zone ${problem}`,
    extra: { errors: [{ field: "zone", problem }] },
  });
}

/** `2026-11-21 09:30:00` on a clock of that zone: the dialect's only form of time. */
export function wallTime(instant: Date, zone: string): string {
  const parts = new Intl.DateTimeFormat("en-GB", {
    ...{ timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit" },
    ...{ hour: "2-digit", minute: "2-digit", second: "2-digit" },
  }).formatToParts(instant);
  const of = (type: string) => parts.find((part) => part.type === type)?.value ?? "";
  return `${of("year")}-${of("month")}-${of("day")} ${of("hour")}:${of("minute")}:${of("second")}`;
}
