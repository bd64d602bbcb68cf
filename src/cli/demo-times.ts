/** When things of the demo happened, seen from the moment at which it is made: milliseconds since 1970. */
export interface DemoTimes {
  readonly nowMs: number;
  /** So many minutes of office hours ago, at most a day and not in the last minutes: 08:30 to 18:00 in China, every day. */
  working(minutesAgo: number): number;
  /** The last evening that is over. */
  evening(): number;
  /** At half past ten in the morning, so many days ago. */
  daysAgo(days: number): number;
}

const minute = 60_000;
const day = 24 * 60 * minute;
/** China Standard Time has no other hour in summer. */
const zoneMs = 8 * 60 * minute;
const [opens, closes] = [8.5 * 60 * minute, 18 * 60 * minute];

export function demoTimes(nowMs: number): DemoTimes {
  const midnight = Math.floor((nowMs + zoneMs) / day) * day - zoneMs;
  return {
    nowMs,
    working(minutesAgo) {
      let left = minutesAgo * minute;
      for (let start = midnight; ; start -= day) {
        const end = Math.min(nowMs, start + closes);
        const open = end - (start + opens);
        if (open > left) return end - left;
        left -= Math.max(open, 0);
      }
    },
    evening() {
      const tonight = midnight + 20.5 * 60 * minute;
      const last = tonight < nowMs - 15 * minute ? tonight : tonight - day;
      // What is older than a day would have come late.
      return Math.max(last, nowMs - 23 * 60 * minute);
    },
    daysAgo: (days) => midnight - days * day + 10.5 * 60 * minute,
  };
}

/** `2026-11-21 09:30:00` in China. */
export function shanghaiClock(ms: number): string {
  return new Date(Math.floor((ms + zoneMs) / 1000) * 1000).toISOString().slice(0, 19).replace("T", " ");
}

export function shanghaiYear(ms: number): string {
  return shanghaiClock(ms).slice(0, 4);
}
