import { type Patience, persistently, Refusal, type Server } from "./server.ts";

/** How far one clock is from another, and how far that may be off to either side. */
export interface ClockOffset {
  readonly offsetMs: number;
  readonly uncertaintyMs: number;
}

/** One question about the server's clock. Times in milliseconds since 1970, `roundTripMs` on the monotonic clock. */
export interface ClockSample {
  readonly sentAt: number;
  readonly roundTripMs: number;
  readonly serverMs: number;
  /** How coarse the server's answer is. */
  readonly resolutionMs: number;
}

const samples = 5;

/** Server's clock minus this station's, from several questions. */
export async function measureServerClock(server: Server, patience: Patience): Promise<ClockOffset> {
  const taken: ClockSample[] = [];
  for (let at = 0; at < samples; at += 1)
    taken.push(await persistently(patience, () => sample(server, patience.signal)));
  return bestOffset(taken);
}

/**
 * The sample with the shortest round trip tells most: the server read its clock at some moment of it, so the middle is
 * off by at most half (RFC 5905 §8 does the same).
 */
export function bestOffset(taken: readonly ClockSample[]): ClockOffset {
  const offsets = taken.map(({ sentAt, roundTripMs, serverMs, resolutionMs }) => ({
    offsetMs: serverMs + resolutionMs / 2 - (sentAt + roundTripMs / 2),
    uncertaintyMs: roundTripMs / 2 + resolutionMs / 2,
  }));
  const best = offsets.reduce((least, offset) => (offset.uncertaintyMs < least.uncertaintyMs ? offset : least));
  return { offsetMs: Math.round(best.offsetMs), uncertaintyMs: Math.ceil(best.uncertaintyMs + 0.5) };
}

/** What a recorder's clock showed at docking, and the station's clock at that moment. */
export interface RecorderClock {
  /** RFC 3339. */
  readonly shows: string;
  /** RFC 3339. */
  readonly at: string;
}

/**
 * Recorder's clock minus right time, for `clockOffsetMs`: against the server's clock when that was measured, else against
 * the station's. A clock that shows whole seconds is known to half a second.
 */
export function recorderOffset({ shows, at }: RecorderClock, server: ClockOffset | undefined): ClockOffset {
  const resolutionMs = /\.\d/.test(shows) ? 1 : 1000;
  return {
    offsetMs: Math.round(Date.parse(shows) + resolutionMs / 2 - Date.parse(at) - (server?.offsetMs ?? 0)),
    uncertaintyMs: Math.ceil(resolutionMs / 2 + (server?.uncertaintyMs ?? 0)),
  };
}

async function sample(server: Server, signal: AbortSignal): Promise<ClockSample> {
  const sentAt = Date.now();
  const started = performance.now();
  try {
    const answer = await server.askJson("GET", "/api/v1/clock", signal);
    const roundTripMs = performance.now() - started;
    const { unixMs } = JSON.parse(answer.text) as { unixMs: number };
    return { sentAt, roundTripMs, serverMs: unixMs, resolutionMs: 1 };
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 404) throw error;
    // An older server: the header `Date` of any answer, which has whole seconds (RFC 9110 §6.6.1).
    const again = { sentAt: Date.now(), started: performance.now() };
    const answer = await server.ask("GET", "/healthz", { signal });
    const roundTripMs = performance.now() - again.started;
    const serverMs = Date.parse(answer.headers.date ?? "");
    if (Number.isNaN(serverMs)) throw new Refusal(404, { title: "The server does not tell its time" });
    return { sentAt: again.sentAt, roundTripMs, serverMs, resolutionMs: 1000 };
  }
}
