import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer, type ListenOptions, type Server } from "node:net";

/** Below the ports that the system gives to whoever names none (32768 and up), and below those of rgw-up.sh. */
const [first, end] = [10_000, 20_000];

/**
 * A TCP port on loopback that nobody uses, for a process that is started later, or again. Until this process ends no call
 * gives it a second time, in whatever process of the machine, and the system gives it to nobody.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 1000; tries += 1) {
    const port = randomInt(first, end);
    // A name of unix(7) that is no file: one process has it, and it is gone with that process, however it ends.
    const mark = await listening({ path: `\0dockseal-test-port-${port}` });
    if (mark === undefined) continue;
    const probe = await listening({ host: "127.0.0.1", port });
    if (probe !== undefined) {
      await closed(probe);
      mark.unref();
      return port;
    }
    await closed(mark);
  }
  throw new Error(`no free port between ${first} and ${end}`);
}

/** @returns undefined when somebody else listens there. */
async function listening(at: ListenOptions): Promise<Server | undefined> {
  const server = createServer();
  try {
    await once(server.listen(at), "listening");
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return undefined;
    throw error;
  }
}

async function closed(server: Server): Promise<void> {
  server.close();
  await once(server, "close");
}
