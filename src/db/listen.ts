import pg from "pg";
import { pause } from "#kernel";

export interface ListenOptions {
  readonly url: string;
  /** Of NOTIFY. */
  readonly channel: string;
  /**
   * Called at every notice, whenever the connection begins to listen, and every ten seconds: so what is told while
   * nobody listens, or gets lost at a connection pooler that knows no LISTEN, comes late and not never.
   */
  readonly onNotice: () => void;
  /** Told about a connection that broke or could not be made; another one is made. */
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

const lookAgainMs = 10_000;
const longestPauseMs = 5_000;

/** Listens on a connection of its own until the signal aborts, and again after each interruption. */
export async function listenTo(options: ListenOptions): Promise<void> {
  let pauseMs = 250;
  while (!options.signal.aborted) {
    try {
      await listenOnce(options, () => {
        pauseMs = 250;
      });
    } catch (error) {
      if (!options.signal.aborted) options.onError(error);
    }
    await pause(pauseMs, options.signal);
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }
}

/** @throws what broke the connection, or the signal's reason. */
async function listenOnce(options: ListenOptions, onListening: () => void): Promise<never> {
  const { url, channel, onNotice, signal } = options;
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    query_timeout: 5_000,
    keepAlive: true,
    application_name: "dockseal listener",
  });
  const over = new Promise<never>((_, reject) => {
    client.on("error", reject);
    client.on("end", () => reject(new Error("the connection that listens has ended")));
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  over.catch(() => undefined); // whoever waits at that moment is told
  client.on("notification", onNotice);
  try {
    await Promise.race([over, client.connect()]);
    await Promise.race([over, client.query(`LISTEN ${client.escapeIdentifier(channel)}`)]);
    onListening();
    for (;;) {
      onNotice();
      await Promise.race([over, pause(lookAgainMs, signal)]);
      // A line that is cut somewhere between is found out by asking only.
      await Promise.race([over, client.query("SELECT 1")]);
    }
  } finally {
    // A server that is gone does not answer to the goodbye.
    await Promise.race([client.end().catch(() => undefined), pause(1_000)]);
  }
}
