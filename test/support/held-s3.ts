import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Test } from "tap";
import type { Rgw } from "./rgw.ts";

/** What a connection gets of the store while it is held: more than any answer but a large object. */
const HELD_BYTES = 8 * 1024 ** 2;

export interface HeldS3 {
  /** The same server by way of this one. */
  readonly s3: Rgw;
  /** From now on a large object comes only in part, until it is let go: whoever reads it is seen amid that. */
  hold(): void;
  letGo(): void;
}

/** Stands before an S3 server. */
export async function heldS3(t: Pick<Test, "teardown">, server: Rgw): Promise<HeldS3> {
  const sockets = new Set<Socket>();
  const waiting = new Set<Socket>();
  let holds: { since: number } | undefined;

  function relay(client: Socket): void {
    const upstream = connect(server.port, server.host);
    const passed = { since: 0, bytes: 0 };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      const end = (): void => {
        for (const each of [client, upstream]) {
          sockets.delete(each);
          waiting.delete(each);
          each.destroy();
        }
      };
      socket.on("error", end); // whoever is killed leaves broken connections
      socket.on("close", end);
    }
    client.pipe(upstream);
    upstream.on("data", (bytes: Buffer) => {
      const isTaken = client.write(bytes);
      if (holds !== undefined && passed.since !== holds.since) Object.assign(passed, { since: holds.since, bytes: 0 });
      passed.bytes += bytes.length;
      if (holds !== undefined && passed.bytes > HELD_BYTES) {
        waiting.add(upstream);
        upstream.pause();
      } else if (!isTaken) {
        upstream.pause();
        client.once("drain", () => upstream.resume());
      }
    });
  }
  const listener = createServer(relay);
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => listener.close(resolve));
  });
  const { port } = listener.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  let times = 0;
  return {
    s3: {
      ...server,
      ...{ endpoint: `http://${host}`, host: "127.0.0.1", port },
      url: (bucket) => server.url(bucket).replace(`@${server.host}:${server.port}/`, `@${host}/`),
    },
    hold: () => {
      times += 1;
      holds = { since: times };
    },
    letGo: () => {
      holds = undefined;
      for (const socket of waiting) socket.resume();
      waiting.clear();
    },
  };
}
