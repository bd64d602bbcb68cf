import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Test } from "tap";

export interface CommitProxy {
  /** The same URL by way of the proxy. */
  through(url: string): Promise<string>;
  /** How many commits out of a hundred get lost: half of them on their way to the server, half on their way back. */
  lossPercent: number;
  /** Connections cut before the server saw the commit, and after it had carried it out. */
  readonly cut: { before: number; after: number };
}

/** Stands between a client and PostgreSQL and cuts connections exactly around COMMIT. */
export function commitProxy(t: Pick<Test, "teardown">): CommitProxy {
  const sockets = new Set<Socket>();
  const proxy = {
    lossPercent: 0,
    cut: { before: 0, after: 0 },
    through: async (text: string) => {
      const url = new URL(text);
      const { hostname } = url;
      const port = Number(url.port);
      const server = createServer((client) => {
        const upstream = connect(port, hostname);
        relay(client, upstream);
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      t.teardown(async () => {
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => server.close(resolve));
      });
      url.port = String((server.address() as AddressInfo).port);
      return url.href;
    },
  };

  function relay(client: Socket, upstream: Socket): void {
    let answerIsLost = false;
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", end); // a cut connection is what this is for
      socket.on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    client.on("data", (bytes: Buffer) => {
      // A simple query `commit` of the PostgreSQL protocol, or its text in a Parse message: it ends in a zero byte.
      const lost = /commit\0/i.test(bytes.toString("latin1")) && Math.random() * 100 < proxy.lossPercent;
      if (lost && Math.random() < 0.5) {
        proxy.cut.before += 1;
        end();
        return;
      }
      answerIsLost = lost;
      upstream.write(bytes);
    });
    upstream.on("data", (bytes: Buffer) => {
      if (!answerIsLost) {
        client.write(bytes);
        return;
      }
      proxy.cut.after += 1;
      end();
    });
  }
  return proxy;
}
