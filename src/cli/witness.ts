import type { AddressInfo } from "node:net";
import { DocksealError, systemClock } from "#kernel";
import { alarmsOf, buildWitness, headsOf, parseTrustedLogs, WitnessMemory } from "#witness";
import { newLogger } from "./logger.ts";
import { aborted, stopSignal } from "./stop-signal.ts";
import { textOf } from "./text-file.ts";

export interface WitnessOptions {
  readonly dataDir: string;
  readonly policyFile: string;
  readonly host: string;
  readonly port: number;
  readonly name: string | undefined;
}

/** Name of a witness that was given none: its key id still tells it from others. */
const FALLBACK_NAME = "dockseal.local/witness";

/** `dockseal witness`: cosigns checkpoints of the logs in its policy. Prints `ready <url>` and its verifier key. */
export async function witness(options: WitnessOptions): Promise<number> {
  const stop = stopSignal();
  const logger = newLogger("witness", "info");
  const logs = parseTrustedLogs(await textOf(options.policyFile));
  const memory = await WitnessMemory.open(options.dataDir, { name: options.name, newName: FALLBACK_NAME });
  const app = buildWitness({ memory, logs, clock: systemClock, logger });
  try {
    await app.listen({ host: options.host, port: options.port });
    const { port } = app.server.address() as AddressInfo;
    const host = options.host.includes(":") ? `[${options.host}]` : options.host;
    process.stdout.write(`ready http://${host}:${port}\nkey ${memory.signer.vkey}\n`);
    for (const { kind, origin, size } of memory.alarms()) {
      logger.error({ alarm: { kind, origin, size } }, "an alarm stands until it is acknowledged");
    }
    await aborted(stop);
    return 0;
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code;
    if (reason === undefined) throw cause;
    const detail = `cannot listen on ${options.host}, port ${options.port}: ${reason}`;
    throw new DocksealError("usage", { detail, cause });
  } finally {
    await app.close();
    memory.close();
    logger.info("stopped");
  }
}

/** `dockseal witness --check`: last seen heads, and alarms. @returns 1 while an alarm stands. */
export async function checkWitness(options: { dataDir: string; json: boolean }): Promise<number> {
  const memory = await WitnessMemory.open(options.dataDir);
  try {
    const logs = headsOf(memory, memory.origins());
    const alarms = alarmsOf(memory);
    const lines = options.json
      ? [JSON.stringify({ key: memory.signer.vkey, logs, alarms })]
      : [
          `key ${memory.signer.vkey}`,
          ...logs.map(
            ({ origin, head }) =>
              `${origin}: ${head === null ? "never cosigned" : `${head.size} entries, cosigned ${head.cosignedAt}`}`,
          ),
          ...alarms.map(
            ({ id, kind, origin, size, raisedAt }) => `ALARM ${id} ${raisedAt} ${origin}: ${kind}, size ${size}`,
          ),
        ];
    process.stdout.write(`${lines.join("\n")}\n`);
    return alarms.length === 0 ? 0 : 1;
  } finally {
    memory.close();
  }
}

/** `dockseal witness --acknowledge ID --reason TEXT`: an operator has dealt with an alarm. */
export async function acknowledgeAlarm(options: { dataDir: string; id: number; reason: string }): Promise<number> {
  const memory = await WitnessMemory.open(options.dataDir);
  try {
    const time = Math.floor(systemClock.now().getTime() / 1000);
    if (!memory.alone(() => memory.end(options.id, options.reason, time))) {
      throw new DocksealError("usage", { detail: `no alarm ${options.id} stands` });
    }
    return 0;
  } finally {
    memory.close();
  }
}
