import http from "node:http";
import https from "node:https";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { Test } from "tap";
import type { Caller } from "./api.ts";
import type { CurlAnswer } from "./curl.ts";

interface SentEvent {
  readonly id: string;
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A reader of server-sent events (HTML Living Standard §9.2.6), as a browser's EventSource is one. */
export class EventReader {
  /** What came so far. */
  readonly events: SentEvent[] = [];
  readonly comments: string[] = [];
  lastEventId = "";
  readonly answer: CurlAnswer;
  /** Resolves when the server ends the stream, or the connection breaks. */
  readonly ended: Promise<void>;
  readonly close: () => void;

  private constructor(headers: string, body: Readable, close: () => void) {
    this.answer = { status: 200, headers, body: "", json: () => JSON.parse("") };
    this.close = close;
    this.ended = this.#read(createInterface({ input: body })).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET") throw error;
    });
  }

  /**
   * Opens a stream. Rejects when it is refused.
   * @param tls whom to trust, for an https URL.
   */
  static open(
    t: Pick<Test, "teardown">,
    url: string,
    caller: Caller,
    { lastEventId, ...tls }: { readonly lastEventId?: string | undefined; readonly ca?: string } = {},
  ): Promise<EventReader> {
    const lines = caller.headers.filter((_, at) => at % 2 === 1);
    const headers = Object.fromEntries(lines.map((line) => line.split(/: (.*)/s).slice(0, 2)));
    if (lastEventId !== undefined) headers["last-event-id"] = lastEventId;
    return new Promise((resolve, reject) => {
      const request = url.startsWith("https:") ? https.request : http.request;
      const outgoing = request(`${url}/api/v1/events`, { headers, agent: false, ...tls });
      t.teardown(() => outgoing.destroy());
      outgoing.on("error", reject);
      outgoing.on("response", (response) => {
        if (response.statusCode !== 200) reject(new Error(`the stream was refused: ${response.statusCode}`));
        const names = Object.entries(response.headers).map(([name, value]) => `${name}: ${value}`);
        resolve(new EventReader(names.join("\r\n"), response, () => outgoing.destroy()));
      });
      outgoing.end();
    });
  }

  /** What was said of one clip, in order. */
  of(clipId: string): unknown[] {
    return this.events.filter(({ data }) => data["clipId"] === clipId).map(({ data }) => data["what"]);
  }

  async #read(lines: AsyncIterable<string>): Promise<void> {
    let [event, data] = ["message", ""];
    for await (const line of lines) {
      const [, field = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (line === "") {
        if (data !== "") this.events.push({ id: this.lastEventId, event, data: JSON.parse(data) as SentEvent["data"] });
        [event, data] = ["message", ""];
      } else if (field === "") this.comments.push(value);
      else if (field === "event") event = value;
      else if (field === "data") data += value;
      else if (field === "id") this.lastEventId = value;
    }
  }
}
