import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/*
 * `http` gives every 64 KiB that it reads as a new Buffer. V8 sees the memory outside of its heap grow and answers about
 * every 64 MiB with a collection of the whole heap, though all of that garbage is young. A collection of the young
 * generation now and then costs next to nothing and keeps the large one away: an upload of 1 GiB took 2.5 s of CPU
 * without and 1.7 s with it (Node 24, SHA-256 included), and 40 MiB less memory. Of 2, 4, 8 and 32 MiB between two
 * collections 4 cost least; at 8 some of the large ones come back.
 * With eight uploads at once some of it is old before it is garbage, and `--initial-heap-size=256`, which only the
 * start of a process can set (src/cli/node-flags.ts), is needed as well: 2.5 instead of 4.5 s of CPU a GiB on a busy
 * machine.
 */

const EVERY_BYTES = 4 * 1024 * 1024;

type Collect = (options: { type: "minor" }) => void;

let collect: Collect | undefined;
let receivedBytes = 0;

/** To be told of all bytes that came in, of whatever upload of this process. */
export function collectYoungGarbage(bytes: number): void {
  receivedBytes += bytes;
  if (receivedBytes < EVERY_BYTES) return;
  receivedBytes = 0;
  collect ??= exposedCollector();
  collect({ type: "minor" });
}

/** V8 gives its collector only to contexts that are made while the flag is set. */
function exposedCollector(): Collect {
  setFlagsFromString("--expose-gc");
  const collector: unknown = runInNewContext("globalThis.gc");
  setFlagsFromString("--no-expose-gc");
  return typeof collector === "function" ? (options) => collector(options) : () => undefined;
}
