import { witnessesOf } from "#evidence";
import { type CheckList, failed, notChecked } from "./check-list.ts";
import type { Trust } from "./trust.ts";

/**
 * Check `checkpoint-witnessed`: as many trusted witnesses as the trust file wants have cosigned.
 * @param note gives the checkpoint, or throws as a check does.
 */
export function checkWitnessed(list: CheckList, note: () => string, trust: Trust | undefined): void {
  list.make("checkpoint-witnessed", "cosigned by as many trusted witnesses as the trust file wants", () => {
    if (trust === undefined) throw notChecked("no trust file was given: no witness is trusted");
    if (trust.witnesses === undefined) throw notChecked("the trust file names no witnesses");
    const { threshold, keys } = trust.witnesses;
    const { names, witnessed } = witnessesOf(note(), trust.logs, trust.witnesses);
    if (!witnessed)
      throw failed(`${names.length} of ${keys.length} trusted witnesses cosigned, ${threshold} are wanted`);
  });
}
