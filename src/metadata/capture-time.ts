/**
 * The instant that a recorder's clock meant, as far as it can be told: an opinion beside the raw string.
 * A time without a zone, and without one declared for it, stays unknown, and so does one that a change of clocks left
 * out or brought twice: a guess would be worse than none.
 * @param raw for example `2026-11-21 09:30:00`, `20261121093000`, `2026-11-21T09:30:00+08:00`.
 * @param zone an offset or an IANA zone, used when `raw` names none.
 * @returns RFC 3339 in UTC, or undefined.
 */
export function capturedInstant(raw: string, zone: string | undefined): string | undefined {
  const instants = captureReading(raw, zone)?.instants ?? [];
  if (instants.length !== 1 || instants[0] === undefined) return undefined;
  const instant = new Date(instants[0]).toISOString();
  // Years beyond four digits are not RFC 3339 §5.6, and PostgreSQL knows no year 0.
  return /^(?!0000)\d{4}-/.test(instant) ? instant : undefined;
}

/** What a recorder's time can mean, in milliseconds since 1970. */
export interface CaptureReading {
  /** What the clock showed, as if it had shown UTC. */
  readonly wallMs: number;
  /** None: the zone is unknown. Two, the earlier one first: a change of clocks brought that time twice, or left it out. */
  readonly instants: readonly number[];
}

/**
 * Every instant that a recorder's time can mean; {@link capturedInstant} gives it when there is one.
 * @returns undefined when `raw` is no time.
 */
export function captureReading(raw: string, zone: string | undefined): CaptureReading | undefined {
  const match =
    /^(\d{4})-?(\d{2})-?(\d{2})[ T_]?(\d{2}):?(\d{2}):?(\d{2})(?:\.?(\d{1,3})\d*)?\s*(Z|[+-]\d{2}:?\d{2})?$/.exec(
      raw.trim(),
    );
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, ownZone] = match;
  const wall = `${year}-${month}-${day}T${hour}:${minute}:${second}.${(fraction ?? "0").padEnd(3, "0")}`;
  const wallMs = Date.parse(`${wall}Z`);
  // Date.parse takes 31 April for 1 May: a time that does not exist is no time.
  if (Number.isNaN(wallMs) || new Date(wallMs).toISOString() !== `${wall}Z`) return undefined;
  const where = ownZone ?? zone;
  const offsets = where === undefined ? [] : offsetsMs(where, wallMs);
  return { wallMs, instants: offsets.map((offset) => wallMs - offset).sort((a, b) => a - b) };
}

/** The offsets that a wall clock may have had; two around a change when it showed that time never or twice. */
function offsetsMs(zone: string, wallAsUtc: number): number[] {
  if (zone === "Z") return [0];
  const fixed = fixedOffsetMs(zone);
  if (fixed !== undefined) return [fixed];
  if (/^[+-]/.test(zone)) return [];
  // Clocks are changed by hours, zones are at most 14 hours from UTC: a day before and after are all that may hold.
  const day = 86_400_000;
  const around = [ianaOffsetMs(zone, wallAsUtc - day), ianaOffsetMs(zone, wallAsUtc + day)];
  const possible = [...new Set(around)].filter((offset) => offset !== undefined);
  const holding = possible.filter((offset) => ianaOffsetMs(zone, wallAsUtc - offset) === offset);
  if (holding.length === 1) return holding;
  return possible.length === 2 ? possible : [];
}

/** `+08:00` or `+0800`, within the bounds of RFC 3339 §5.6. */
function fixedOffsetMs(zone: string): number | undefined {
  const match = /^([+-])([01]\d|2[0-3]):?([0-5]\d)$/.exec(zone);
  if (match === null) return undefined;
  return (match[1] === "-" ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3])) * 60_000;
}

function ianaOffsetMs(zone: string, instant: number): number | undefined {
  try {
    const text = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" })
      .formatToParts(new Date(instant))
      .find((part) => part.type === "timeZoneName")?.value;
    if (text === "GMT") return 0;
    return text === undefined ? undefined : fixedOffsetMs(text.replace("GMT", ""));
  } catch (error) {
    if (error instanceof RangeError) return undefined; // no such zone
    throw error;
  }
}
