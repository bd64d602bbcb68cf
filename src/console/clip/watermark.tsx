import { type ReactNode, useEffect, useState } from "react";
import { shanghaiTime } from "../format.ts";

/** Where it stands, in percent of the picture; it moves so that it cannot be cut off or covered. */
const places = [
  [6, 10],
  [52, 62],
  [30, 34],
  [8, 70],
  [56, 14],
  [34, 78],
] as const;

/** Who looks, what for and when, over the picture. Screen readers need it no more than the video's pixels. */
export function Watermark({ lines }: { lines: readonly string[] }): ReactNode {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setSeconds((before) => before + 1), 1_000);
    return () => clearInterval(timer);
  }, []);
  const [left, top] = places[Math.floor(seconds / 5) % places.length] ?? places[0];
  return (
    <div className="watermark" style={{ left: `${left}%`, top: `${top}%` }} aria-hidden>
      {lines.map((line) => (
        <div key={line}>{line}</div>
      ))}
      <div>{shanghaiTime(Date.now())}</div>
    </div>
  );
}
