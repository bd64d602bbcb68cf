import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { createServer } from "node:net";
import { DocksealError } from "#kernel";

/**
 * Makes sure that no other process works on a state directory: two would write one journal. A socket in Linux's abstract
 * namespace is gone with its process, however that ends, so nothing stale can keep a station from going on.
 * @returns a function that lets the next one in.
 * @throws DocksealError `usage`.
 */
export async function onlyAgentOf(stateDir: string): Promise<() => Promise<void>> {
  const name = createHash("sha256")
    .update(await realpath(stateDir))
    .digest("hex");
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const detail = `another station agent works with --state ${stateDir}`;
      reject(error.code === "EADDRINUSE" ? new DocksealError("usage", { detail, cause: error }) : error);
    });
    server.listen(`\0dockseal-station-${name}`, resolve);
  });
  server.unref();
  return () => new Promise((resolve) => server.close(() => resolve()));
}
