import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { DocksealError } from "#kernel";

/**
 * The bytes of a GET as a stream that ends only when all of them came: what breaks off or stands still is an error.
 * Destroying it ends the transfer.
 * @param response an answer of 200 or 206 whose body nobody has read yet.
 * @param expectedBytes how many must come.
 * @param stallMs longest wait for a byte while the reader wants one.
 */
export function checkedBody(
  response: IncomingMessage,
  expectedBytes: number,
  stallMs: number,
  signal: AbortSignal | undefined,
): Readable {
  let receivedBytes = 0;
  let whole = false;
  const fail = (why: string, cause?: unknown) => {
    const detail = `get: ${why} after ${receivedBytes} of ${expectedBytes} bytes`;
    body.destroy(new DocksealError("store-unavailable", { detail, cause, retryAfterSeconds: 10 }));
  };
  const stall = setTimeout(() => {
    // A reader that has enough is no stall.
    if (!response.isPaused()) fail(`nothing came for ${stallMs / 1000} s`);
  }, stallMs);
  const body = new Readable({
    highWaterMark: 256 * 1024,
    read() {
      stall.refresh();
      response.resume();
    },
    destroy(error, done) {
      clearTimeout(stall);
      signal?.removeEventListener("abort", onAbort);
      if (!whole) response.destroy();
      done(error);
    },
  });
  const onAbort = () => body.destroy(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  response.pause();
  response.on("data", (chunk: Buffer) => {
    receivedBytes += chunk.length;
    stall.refresh();
    if (!body.push(chunk)) response.pause();
  });
  response.once("end", () => {
    whole = receivedBytes === expectedBytes;
    if (whole) body.push(null);
    else fail("the store ended the answer");
  });
  response.once("error", (error) => fail("the connection to the store broke off", error));
  response.once("close", () => {
    if (!whole) fail("the connection to the store was closed");
  });
  if (signal?.aborted) onAbort();
  return body;
}
