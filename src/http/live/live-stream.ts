import { PassThrough, type Readable } from "node:stream";
import type { PersonActor } from "#identity";
import type { ClipHappening } from "#ingest";

/** What a reader may fall behind, in bytes, before it is cut off: it comes again, and goes on where it was. */
const mostUnreadBytes = 256 * 1024;

/**
 * One stream of server-sent events (HTML Living Standard §9.2). The id of each event is the size of the log up to which
 * the reader has seen everything: at which process ever it comes again, it goes on there.
 */
export class LiveStream {
  readonly person: PersonActor;
  readonly #body = new PassThrough();
  /** Places of the log below this one need not be told any more. */
  #seen: number;
  /** What happens while that is being read which was missed. */
  #held: ClipHappening[] | undefined;

  constructor(person: PersonActor, seen: number) {
    this.person = person;
    this.#seen = seen;
    this.#write("retry: 2000\n\n");
  }

  get body(): Readable {
    return this.#body;
  }

  /** What happens is kept back until {@link goOn}. */
  hold(): void {
    this.#held = [];
  }

  /** Tells what was missed, then what was kept back. */
  goOn(missed: readonly ClipHappening[]): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const happening of [...missed, ...held]) this.tell(happening);
  }

  tell(happening: ClipHappening): void {
    if (this.#held !== undefined) {
      this.#held.push(happening);
      return;
    }
    const { index, clipId, what, at } = happening;
    if (index < this.#seen) return;
    this.#seen = index + 1;
    this.#event("clip", { clipId, what, at });
  }

  /** The reader has seen the state of `size`, or is about to ask for it. */
  ready(size: number): void {
    this.#seen = size;
    this.#event("ready", {});
  }

  /** What was missed cannot be told: the reader must ask for everything anew. */
  reload(size: number): void {
    this.#held = undefined;
    this.#seen = size;
    this.#event("reload", {});
  }

  /** A sign of life, that readers do not see; their place in the log goes on with it. */
  beat(size: number): void {
    if (this.#held !== undefined) return;
    this.#seen = Math.max(this.#seen, size);
    this.#write(`: still here\nid: ${this.#seen}\n\n`);
  }

  end(reason: "session-ended" | "stopping"): void {
    this.#event("end", { reason });
    this.#body.end();
  }

  #event(name: string, data: object): void {
    this.#write(`id: ${this.#seen}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  #write(text: string): void {
    if (this.#body.destroyed || this.#body.writableEnded) return;
    this.#body.write(text);
    if (this.#body.writableLength > mostUnreadBytes) this.#body.destroy();
  }
}
