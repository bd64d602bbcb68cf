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

export interface StatementProxy {
  /** The same URL by way of the proxy. */
  through(url: string): Promise<string>;
  /** Cuts the connection of the `nth` statement from now on that matches: before the server sees it, or after it has answered. */
  cutAt(statement: RegExp, when: "before" | "after", nth?: number): void;
  /** False once the connection was cut. */
  readonly armed: boolean;
}

/** Stands between a client and PostgreSQL and cuts one connection at one statement. */
export function statementProxy(t: Pick<Test, "teardown">): StatementProxy {
  let fault: { statement: RegExp; when: "before" | "after"; nth: number } | undefined;
  return {
    through: (url) =>
      relayed(t, url, (bytes) => {
        if (fault?.statement.test(bytes.toString("latin1")) !== true) return undefined;
        fault.nth -= 1;
        if (fault.nth > 0) return undefined;
        const { when } = fault;
        fault = undefined;
        return when;
      }),
    cutAt: (statement, when, nth = 1) => {
      fault = { statement, when, nth };
    },
    get armed() {
      return fault !== undefined;
    },
  };
}

/** Stands between a client and PostgreSQL and cuts connections exactly around COMMIT. */
export function commitProxy(t: Pick<Test, "teardown">): CommitProxy {
  const proxy = {
    lossPercent: 0,
    cut: { before: 0, after: 0 },
    through: (url: string) =>
      relayed(t, url, (bytes) => {
        // A simple query `commit` of the PostgreSQL protocol, or its text in a Parse message: it ends in a zero byte.
        if (!/commit\0/i.test(bytes.toString("latin1")) || Math.random() * 100 >= proxy.lossPercent) return undefined;
        const when = Math.random() < 0.5 ? "before" : "after";
        proxy.cut[when] += 1;
        return when;
      }),
  };
  return proxy;
}

/**
 * Relays a server on a port of its own.
 * @param cut asked about all that a client sends: whether to cut the connection before the server gets it, or once the
 *   server has answered it.
 * @returns the URL of that port.
 */
async function relayed(
  t: Pick<Test, "teardown">,
  text: string,
  cut: (bytes: Buffer) => "before" | "after" | undefined,
): Promise<string> {
  const sockets = new Set<Socket>();
  const url = new URL(text);
  const { hostname } = url;
  const port = Number(url.port);
  const server = createServer((client) => relay(client, connect(port, hostname)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  url.port = String((server.address() as AddressInfo).port);
  return url.href;

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
      const when = cut(bytes);
      if (when === "before") {
        end();
        return;
      }
      answerIsLost = when === "after";
      upstream.write(bytes);
    });
    upstream.on("data", (bytes: Buffer) => {
      if (answerIsLost) end();
      else client.write(bytes);
    });
  }
}
