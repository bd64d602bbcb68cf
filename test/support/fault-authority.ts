import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import type { Test } from "tap";
import { TimestampAuthority, type TimestampAuthorityKeys } from "#evidence";

/** A timestamp authority over HTTP (RFC 3161 §3.4) on that port, with keys that can be changed while it runs. */
export async function authorityOn(
  t: Pick<Test, "teardown">,
  port: number,
  keys: TimestampAuthorityKeys,
): Promise<{ use(keys: TimestampAuthorityKeys): void; readonly asked: number }> {
  let authority = newAuthority(keys);
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    buffer(request)
      .then((body) => authority.respond(body))
      .then(
        (answer) => response.writeHead(200, { "content-type": "application/timestamp-reply" }).end(answer),
        () => response.writeHead(500).end(),
      );
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  t.teardown(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return {
    use: (other) => {
      authority = newAuthority(other);
    },
    get asked() {
      return asked;
    },
  };
}

function newAuthority(keys: TimestampAuthorityKeys): TimestampAuthority {
  return new TimestampAuthority(keys, { now: () => new Date() }, randomBytes);
}
