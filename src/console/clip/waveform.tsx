import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { ClipDetail } from "../api/types.ts";

/** What src/derive makes of the sound: a lowest and a highest value for each stretch, from −128 to 127. */
interface Waveform {
  readonly stretchSeconds: number;
  readonly data: readonly number[];
}

/** Known before the shape is there, so that its place can be kept: what is below does not jump away from the hand. */
export function waveformOf(clip: ClipDetail): ClipDetail["derivatives"][number] | undefined {
  return clip.derivatives.find(({ role }) => role === "waveform");
}

/** The shape of the clip's sound; undefined until it is wanted and there, and where there is none. */
export function useWaveform(clip: ClipDetail, wanted: boolean): Waveform | undefined {
  const made = waveformOf(clip);
  const { data } = useQuery({
    queryKey: ["waveform", clip.id, made?.revision],
    queryFn: async () => waveformIn(await (await fetch(`/api/v1/clips/${clip.id}/waveform`)).json()),
    enabled: wanted && made !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return data ?? undefined;
}

/** Null for what is none: one can do without it. */
function waveformIn(document: unknown): Waveform | null {
  const { sample_rate: rate, samples_per_pixel: samples, data } = (document ?? {}) as Record<string, unknown>;
  if (typeof rate !== "number" || typeof samples !== "number" || !Array.isArray(data)) return null;
  if (!(rate > 0 && samples > 0) || !data.every((value) => typeof value === "number")) return null;
  return { stretchSeconds: samples / rate, data };
}

/** Fills its place from the beginning of the recording to its end; the loudest moment fills it from top to bottom. */
export function WaveformShape({ waveform, lengthSeconds }: { waveform: Waveform; lengthSeconds: number }): ReactNode {
  const { data, stretchSeconds } = waveform;
  const loudest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 4);
  const high: string[] = [];
  const low: string[] = [];
  for (let n = 0; n + 1 < data.length; n += 2) {
    const x = n / 2 + 0.5;
    low.push(`${x} ${(1 - (data[n] ?? 0) / loudest).toFixed(3)}`);
    // Silence is a line, not nothing.
    high.push(`${x} ${(1 - Math.max((data[n + 1] ?? 0) / loudest, 0.01)).toFixed(3)}`);
  }
  return (
    <svg
      className="waveform"
      viewBox={`0 0 ${Math.max(lengthSeconds / stretchSeconds, 1)} 2`}
      preserveAspectRatio="none"
      aria-hidden
    >
      <path d={`M${[...high, ...low.toReversed()].join("L")}Z`} />
    </svg>
  );
}
