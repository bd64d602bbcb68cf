import { pause } from "#kernel";
import type { StrictS3 } from "./strict-s3.ts";

export interface SlowReads {
  /** From now on everything comes at once. */
  goOn(): void;
  /** Reads whose reader hung up. */
  readonly gone: number;
}

/** Has the store give the first half of each object in ever smaller bits, without end, and no more until it is told to go on. */
export function slowReads(s3: StrictS3): SlowReads {
  let [slow, gone] = [true, 0];
  s3.fault = async (call) => {
    if (call.operation !== "get") return undefined;
    const answer = await call.perform();
    const { body } = answer;
    if (!Buffer.isBuffer(body)) return answer;
    const { response } = call;
    response.writeHead(answer.status, answer.headers);
    const half = Math.floor(body.length / 2);
    let at = 0;
    while (slow && !response.destroyed) {
      // However late who reads it looks: there is more to come, and it is not yet at the half.
      const step = Math.floor((half - at) / 500);
      response.write(body.subarray(at, at + step));
      at += step;
      await pause(20);
    }
    if (response.destroyed) gone += 1;
    response.end(body.subarray(at));
    return "handled";
  };
  return {
    goOn: () => {
      slow = false;
    },
    get gone() {
      return gone;
    },
  };
}
