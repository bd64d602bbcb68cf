import type { Readable } from "node:stream";
import { logSize } from "#custody";
import type { Database } from "#db";
import { type PersonActor, sessionsThatHold } from "#identity";
import { clipHappenings } from "#ingest";
import { DocksealError, pause } from "#kernel";
import { LiveStream } from "./live-stream.ts";

/** Streams that may be open at once. */
const mostOfSession = 8;
const mostOfProcess = 1000;
/** Entries of the log that are read at once. */
const batch = 2000;
/** Whoever missed more entries asks anew: that is quicker. */
const mostMissed = 10_000;
/** How soon a stream ends after its session. */
const lookAtSessionsMs = 2_000;
const beatMs = 15_000;

/**
 * Follows the custody log and tells the people who listen at this process what happens to their organization's clips.
 * The log's places are given in the order of commits and without gaps, by one process for all: so every API process
 * tells the same with the same ids, and nobody who makes a change waits for those who watch.
 */
export class LiveClips {
  readonly #db: Database;
  readonly #onError: (error: unknown) => void;
  readonly #streams = new Set<LiveStream>();
  /** Size of the log that was told; undefined before the first look. */
  #told: number | undefined;
  #following = false;
  #again = false;
  #stopping = false;

  constructor(db: Database, onError: (error: unknown) => void) {
    this.#db = db;
    this.#onError = onError;
  }

  /** Has the log looked at, for it may have grown. */
  wake(): void {
    this.#again = true;
    if (!this.#following) void this.#followAll();
  }

  /**
   * Opens a stream.
   * @param seen size of the log that the reader has seen; undefined when it is new.
   * @throws DocksealError `too-many-streams` (of this session, of this process), `shutting-down`.
   */
  async open(person: PersonActor, seen: number | undefined): Promise<Readable> {
    if (this.#told === undefined) {
      const size = await logSize(this.#db);
      this.#told ??= size;
    }
    // From here to the stream's place among the others nothing is waited for: what happens next is told to it too.
    const told = this.#told;
    this.#refuseTooMany(person);
    const stream = new LiveStream(person, seen ?? told);
    this.#streams.add(stream);
    stream.body.once("close", () => this.#streams.delete(stream));
    if (seen === undefined) stream.ready(told);
    else await this.#resume(stream, seen, told);
    return stream.body;
  }

  #refuseTooMany(person: PersonActor): void {
    if (this.#stopping) throw new DocksealError("shutting-down", { retryAfterSeconds: 5 });
    const ofSession = [...this.#streams].filter((one) => one.person.sessionId === person.sessionId).length;
    if (ofSession >= mostOfSession) {
      const detail = `This session has ${ofSession} streams of events open`;
      throw new DocksealError("too-many-streams", { detail, retryAfterSeconds: 10 });
    }
    if (this.#streams.size >= mostOfProcess) {
      const detail = `This server has ${mostOfProcess} streams of events open`;
      throw new DocksealError("too-many-streams", { detail, retryAfterSeconds: 10 });
    }
  }

  /** Ends streams whose session is over, and gives signs of life, until the signal aborts; then ends all. */
  async attend(signal: AbortSignal): Promise<void> {
    let nextBeat = Date.now() + beatMs;
    while (!signal.aborted) {
      await pause(lookAtSessionsMs, signal);
      if (this.#streams.size === 0) continue;
      // While the database is away nothing is told that a session would have to be asked for.
      await this.#endThoseOver().catch(this.#onError);
      if (Date.now() < nextBeat) continue;
      nextBeat = Date.now() + beatMs;
      for (const stream of this.#streams) stream.beat(this.#told ?? 0);
    }
    this.#stopping = true;
    for (const stream of this.#streams) stream.end("stopping");
  }

  async #endThoseOver(): Promise<void> {
    const streams = [...this.#streams];
    const holding = await sessionsThatHold(this.#db, [...new Set(streams.map(({ person }) => person.sessionId))]);
    for (const stream of streams) if (!holding.has(stream.person.sessionId)) stream.end("session-ended");
  }

  /** Goes on where the reader was: after what the reader missed comes what happens meanwhile. */
  async #resume(stream: LiveStream, seen: number, told: number): Promise<void> {
    stream.hold();
    try {
      // Another process may be a moment ahead of this one. A log that is shorter still was put back from a backup.
      if (told - seen > mostMissed || (seen > told && seen > (await logSize(this.#db)))) stream.reload(told);
      else {
        const { organizationId } = stream.person;
        stream.goOn(seen < told ? await clipHappenings(this.#db, { from: seen, to: told }, organizationId) : []);
      }
    } catch (error) {
      stream.body.destroy();
      throw error;
    }
  }

  async #followAll(): Promise<void> {
    this.#following = true;
    while (this.#again) {
      this.#again = false;
      await this.#follow().catch(this.#onError);
    }
    this.#following = false;
  }

  async #follow(): Promise<void> {
    const size = await logSize(this.#db);
    let told = this.#told ?? size;
    if (size < told || size - told > mostMissed) {
      this.#told = size;
      for (const stream of this.#streams) stream.reload(size);
      return;
    }
    this.#told = told;
    while (told < size) {
      const range = { from: told, to: Math.min(size, told + batch) };
      const happenings = this.#streams.size === 0 ? [] : await clipHappenings(this.#db, range);
      told = range.to;
      this.#told = told;
      for (const happening of happenings) {
        for (const stream of this.#streams) {
          if (stream.person.organizationId === happening.organizationId) stream.tell(happening);
        }
      }
    }
  }
}
