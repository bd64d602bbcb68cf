// How times and sizes are written. Times of the API are RFC 3339 in UTC; people here read China Standard Time.

const clock = new Intl.DateTimeFormat("sv-SE", {
  timeZone: "Asia/Shanghai",
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

/** `2026-11-21 09:30:00` in Asia/Shanghai; `–` for null. */
export function shanghaiTime(instant: string | number | null): string {
  return instant === null ? "–" : clock.format(new Date(instant));
}

const units = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** `1.4 MiB`; below 1024 bytes exactly. */
export function sizeText(bytes: number): string {
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[power]}`;
}

/** `1:02:03`, `02:03`. */
export function durationText(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (n: number): string => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  return `${hours > 0 ? `${hours}:` : ""}${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

/** The first and last digits of a digest or id, enough to tell two apart on a screen. */
export function shortened(hex: string): string {
  return hex.length <= 20 ? hex : `${hex.slice(0, 8)}…${hex.slice(-8)}`;
}
