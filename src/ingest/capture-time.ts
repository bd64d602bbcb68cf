/**
 * The instant that a recorder's clock meant, as far as it can be told: an opinion beside the raw string.
 * A time without a zone, and without one declared for it, stays unknown: a guess would be worse than none.
 * @param raw for example `2026-11-21 09:30:00`, `20261121093000`, `2026-11-21T09:30:00+08:00`.
 * @param zone an offset or an IANA zone, used when `raw` names none.
 * @returns RFC 3339 in UTC, or undefined.
 */
export function capturedInstant(raw: string, zone: string | undefined): string | undefined {
  const match =
    /^(\d{4})-?(\d{2})-?(\d{2})[ T_]?(\d{2}):?(\d{2}):?(\d{2})(?:\.?(\d{1,3})\d*)?\s*(Z|[+-]\d{2}:?\d{2})?$/.exec(
      raw.trim(),
    );
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, ownZone] = match;
  const wall = `${year}-${month}-${day}T${hour}:${minute}:${second}.${(fraction ?? "0").padEnd(3, "0")}`;
  const asUtc = Date.parse(`${wall}Z`);
  // Date.parse takes 31 April for 1 May: a time that does not exist is no time.
  if (Number.isNaN(asUtc) || new Date(asUtc).toISOString() !== `${wall}Z`) return undefined;
  const where = ownZone ?? zone;
  if (where === undefined) return undefined;
  const offset = offsetMs(where, asUtc);
  return offset === undefined ? undefined : new Date(asUtc - offset).toISOString();
}

function offsetMs(zone: string, wallAsUtc: number): number | undefined {
  if (zone === "Z") return 0;
  const fixed = /^([+-])(\d{2}):?(\d{2})$/.exec(zone);
  if (fixed !== null) return (fixed[1] === "-" ? -1 : 1) * (Number(fixed[2]) * 60 + Number(fixed[3])) * 60_000;
  // The offset depends on the instant, which depends on the offset: two steps settle it outside of a clock change.
  const first = ianaOffsetMs(zone, wallAsUtc);
  return first === undefined ? undefined : ianaOffsetMs(zone, wallAsUtc - first);
}

function ianaOffsetMs(zone: string, instant: number): number | undefined {
  try {
    const text = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" })
      .formatToParts(new Date(instant))
      .find((part) => part.type === "timeZoneName")?.value;
    if (text === "GMT") return 0;
    return text === undefined ? undefined : offsetMs(text.replace("GMT", ""), 0);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // no such zone
    throw error;
  }
}
