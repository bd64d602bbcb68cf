import { type Clock, DocksealError, isProblem } from "#kernel";
import type { TimestampSource } from "./timestamp-source.ts";

const shortestRestMs = 10_000;
const longestRestMs = 10 * 60_000;

interface Standing {
  failures: number;
  restsUntilMs: number;
}

/**
 * Several authorities as one source: each is asked in turn, in the order of preference, until one gives a token that
 * passes. One that did not rests a while, longer each time, in which the others come before it: a dead first one does
 * not slow every clip. Where all others fail too, one that rests is asked as well.
 * @param sources at least one.
 * @param onPassedOver is told, in one sentence, why the next one was asked.
 */
export function firstThatStamps(
  sources: readonly TimestampSource[],
  { clock, onPassedOver }: { clock: Clock; onPassedOver: (reason: string, error: DocksealError) => void },
): TimestampSource {
  const [only, ...others] = sources;
  if (only === undefined) throw new RangeError("a timestamp needs an authority");
  if (others.length === 0) return only;
  const standings = new Map<TimestampSource, Standing>();

  const inTurn = (): TimestampSource[] => {
    const now = clock.now().getTime();
    const rests = (source: TimestampSource): boolean => (standings.get(source)?.restsUntilMs ?? 0) > now;
    return [...sources.filter((source) => !rests(source)), ...sources.filter(rests)];
  };
  const sendToRest = (source: TimestampSource): void => {
    const failures = (standings.get(source)?.failures ?? 0) + 1;
    const restMs = Math.min(shortestRestMs * 2 ** (failures - 1), longestRestMs);
    standings.set(source, { failures, restsUntilMs: clock.now().getTime() + restMs });
  };

  return {
    name: sources.map(({ name }) => name).join(", "),
    independent: sources.every(({ independent }) => independent),
    roots: [...new Set(sources.flatMap(({ roots }) => roots))],
    async stamp(imprints, signal) {
      const errors: DocksealError[] = [];
      const passedOver: string[] = [];
      for (const source of inTurn()) {
        try {
          const stamped = await source.stamp(imprints, signal);
          standings.delete(source);
          return { ...stamped, passedOver };
        } catch (error) {
          if (!isProblem(error, "timestamp-unavailable") && !isProblem(error, "timestamp-rejected")) throw error;
          sendToRest(source);
          const reason = `${source.name}: ${error.message}`;
          errors.push(error);
          passedOver.push(reason);
          onPassedOver(reason, error);
        }
      }
      const all = errors.every((error) => isProblem(error, "timestamp-rejected"));
      throw new DocksealError(all ? "timestamp-rejected" : "timestamp-unavailable", {
        detail: passedOver.join("; "),
        cause: new AggregateError(errors),
      });
    },
  };
}
