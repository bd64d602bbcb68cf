import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import { Bandwidth } from "../../src/station/bandwidth.ts";
import { Changed } from "../../src/station/card.ts";
import type { Sent } from "../../src/station/form-upload.ts";
import { Refusal, Server } from "../../src/station/server.ts";
import type { Source } from "../../src/station/source.ts";
import { sendByTus } from "../../src/station/tus-upload.ts";
import { tusTestServer } from "../support/tus-server.ts";

const bytes = randomBytes(20_000_003);
const sha256 = createHash("sha256").update(bytes).digest("hex");
const metadata = { recorderSerial: "R", collectorNumber: "C", fileName: "长.mp4", capturedAt: "2026-11-21 09:30:00" };

class Card implements Source {
  readonly sizeBytes = bytes.length;
  readBytes = 0;
  changed = false;

  async read(position: number, length: number): Promise<Buffer> {
    this.readBytes += length;
    return bytes.subarray(position, position + length);
  }
  async requireUnchanged(): Promise<void> {
    if (this.changed) throw new Changed("changed on purpose");
  }
  async close(): Promise<void> {
    this.changed = true;
  }
}

function station(url: string, attempts = 6, upload?: string) {
  const remembered = { upload, remember: async (id: string | null) => void notes.push(id) };
  const notes: (string | null)[] = [];
  const card = new Card();
  const line = {
    server: new Server(url, "token"),
    bandwidth: new Bandwidth(undefined),
    patience: { signal: new AbortController().signal, attempts },
    onBytes: () => undefined,
  };
  return { notes, card, send: () => sendByTus(line, card, metadata, remembered) };
}

function whole(t: Test, sent: Sent | undefined): void {
  t.match(sent, { clip: { sha256, sizeBytes: bytes.length }, facts: { sha256, sizeBytes: bytes.length } });
}

t.test("a large file goes through cuts and lost answers, and the card is read once", async (t) => {
  const server = await tusTestServer(t);
  const faults = [3_000_000, "answer", 100_000, 0] as const;
  let at = 0;
  server.fault = ({ method }) => (method === "PATCH" ? faults[at++] : undefined);
  const { card, notes, send } = station(server.url);
  whole(t, await send());
  t.equal(card.readBytes, bytes.length, "once");
  t.equal(notes.length, 1, "one upload");
  t.ok(at > faults.length, "every fault was made");
  t.equal(server.asked.filter((method) => method === "POST").length, 2, "created once, completed once");
  const [upload] = server.uploads.values();
  t.match(JSON.parse(upload?.metadata["metadata"] ?? ""), metadata, "with the metadata of any other way");
});

t.test("after a restart it goes on where it was; an upload that is gone is begun anew", async (t) => {
  const server = await tusTestServer(t);
  let patches = 0;
  server.fault = ({ method }) => {
    if (method === "PATCH") patches += 1;
    return patches === 2 ? 1000 : undefined;
  };
  const first = station(server.url, 1);
  await t.rejects(first.send(), "the line broke, and no try is left");
  server.fault = () => undefined;
  const [id = ""] = first.notes;
  const begun = server.uploads.get(id ?? "")?.bytes.length ?? 0;
  t.ok(begun > 0 && begun < bytes.length, `${begun} bytes had come`);
  const second = station(server.url, 3, id ?? "");
  whole(t, await second.send());
  t.strictSame(second.notes, [], "the same upload");
  server.uploads.clear();
  const third = station(server.url, 3, id ?? "");
  whole(t, await third.send());
  t.equal(third.notes.length, 1, "another upload");
});

t.test("an answer to the last chunk that is lost is asked for", async (t) => {
  const server = await tusTestServer(t);
  let patches = 0;
  server.fault = ({ method, url }) => {
    if (method === "PATCH") patches += 1;
    return (method === "PATCH" && patches === 2) || (url?.endsWith("/complete") && server.asked.length < 6)
      ? "answer"
      : undefined;
  };
  whole(t, await station(server.url).send());
  t.equal(patches, 2, "and nothing is sent again");
});

t.test("a file that changes gives its upload up, a server without tus is told from one that refuses", async (t) => {
  const server = await tusTestServer(t);
  const changing = station(server.url);
  changing.card.changed = true;
  await t.rejects(changing.send(), Changed);
  t.equal(server.uploads.size, 0, "the server keeps nothing of it");
  t.equal(changing.notes.at(-1), null, "nor does the journal");
  const old = createServer((_, response) => void response.writeHead(404).end("{}"));
  await new Promise<void>((resolve) => old.listen(0, "127.0.0.1", resolve));
  t.teardown(() => void old.close());
  const elsewhere = station(`http://127.0.0.1:${(old.address() as AddressInfo).port}`);
  t.equal(await elsewhere.send(), undefined, "404: no tus");
  const refusing = await tusTestServer(t);
  refusing.fault = ({ headers }) => {
    delete headers["tus-resumable"];
    return undefined;
  };
  await t.rejects(station(refusing.url).send(), Refusal);
});
