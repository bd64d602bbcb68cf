import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { encodeReceipt, noteKeyPair, type Receipt } from "#evidence";
import { root } from "../support/forged-timestamps.ts";
import { FILE, sealedClip } from "../support/sealed-clip.ts";

// docs/verify-receipt.sh is what a court runs who trusts neither the server nor this program: sh, coreutils, openssl.

const script = fileURLToPath(new URL("../../docs/verify-receipt.sh", import.meta.url));

function runner(dir: string) {
  return async (files: Record<string, string | Uint8Array>): Promise<{ code: number; printed: string }> => {
    for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content);
    return new Promise((resolve) => {
      execFile("sh", [script, ...Object.keys(files)], { cwd: dir }, (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === "number" ? error.code : 0, printed: stdout + stderr });
      });
    });
  };
}

// a time long past, so that today's validity of certificates plays no part
const at = new Date("2001-02-03T04:05:06.789Z");

const flipped = (bytes: Buffer, n: number): Buffer =>
  Buffer.from(bytes.map((byte, i) => (i === (n + bytes.length) % bytes.length ? byte ^ 1 : byte)));

t.test("a true receipt and file are accepted, with keys from elsewhere and with the receipt's own", async (t) => {
  const run = runner(t.testdir());
  const { text, keys, receipt } = await sealedClip({ at });
  const given = { "roots.pem": keys.rootPem, "log.vkey": `${receipt.logKey}\n` };
  t.strictSame(await run({ receipt: text, file: FILE, ...given }), {
    code: 0,
    printed: "GOOD: file is what was sealed at Feb  3 04:05:06.789 2001 GMT\n",
  });
  t.match(await run({ receipt: text, file: FILE }), { code: 0, printed: /whose they are stays open/ });
  t.match(await run({ receipt: text.replaceAll("\n", "\r\n"), file: FILE }), { code: 0 }, "with other line ends");
});

t.test("it has at most 30 lines, and calls nothing but sh, sed, coreutils and openssl", async (t) => {
  const lines = (await readFile(script, "utf8")).trimEnd().split("\n");
  t.ok(lines.length <= 30, `${lines.length} lines`);
  t.notMatch(lines.join("\n"), /\b(grep|awk|perl|python|xxd|od|jq|bash)\b/);
});

t.test("one changed byte in the file or in any part of the receipt is refused", async (t) => {
  const run = runner(t.testdir());
  const { text, receipt, keys } = await sealedClip({ at });
  const given = { "roots.pem": keys.rootPem, "log.vkey": receipt.logKey };
  const refused = async (change: Partial<Receipt>, printed: RegExp, why: string) =>
    t.match(
      await run({ receipt: encodeReceipt({ ...receipt, ...change }), file: FILE, ...given }),
      { code: 1, printed },
      why,
    );
  const longer = Buffer.concat([FILE, Buffer.from("x")]);
  t.match(await run({ receipt: text, file: longer, ...given }), { code: 1, printed: /another size/ });
  t.match(await run({ receipt: text, file: flipped(FILE, 3), ...given }), { code: 1, printed: /another sha256/ });
  for (const n of [0, 20, -1]) {
    await refused({ manifest: flipped(receipt.manifest, n) }, /WRONG/, `manifest, byte ${n}`);
    await refused({ timestampToken: flipped(receipt.timestampToken, n) }, /not over this manifest/, `token, byte ${n}`);
    await refused({ entry: flipped(receipt.entry, n) }, /does not stand in the log/, `entry, byte ${n}`);
    await refused({ opening: flipped(receipt.opening, n) }, /WRONG/, `opening, byte ${n}`);
  }
  const { proof } = receipt;
  const lines = proof.split("\n");
  const line = (n: number, change: (old: string) => string) =>
    lines.map((old, at) => (at === n ? change(old) : old)).join("\n");
  const hash = (old: string): string => flipped(Buffer.from(old, "base64"), 5).toString("base64");
  const inLog = /does not stand in the log/;
  await refused({ proof: line(1, () => "index 3") }, inLog, "another place");
  await refused({ proof: line(1, () => "index 9") }, inLog, "a place beyond the tree");
  await refused({ proof: line(1, () => "index x") }, inLog, "no place");
  await refused({ proof: line(2, hash) }, inLog, "the first hash");
  await refused({ proof: line(4, hash) }, inLog, "the last hash");
  await refused({ proof: [...lines.slice(0, 4), ...lines.slice(5)].join("\n") }, inLog, "a hash too few");
  await refused({ proof: [...lines.slice(0, 5), lines[4], ...lines.slice(5)].join("\n") }, inLog, "a hash too many");
  await refused({ proof: line(8, hash) }, inLog, "the root");
  await refused({ proof: line(7, () => "6") }, /WRONG/, "the size");
  await refused({ proof: line(6, (name) => `${name}x`) }, /not signed by the log's key/, "the origin");
  await refused({ proof: proof.replace(/(\S{8})\n$/, "AAAAAA==\n") }, /not signed by the log's key/, "the signature");
});

t.test("other keys than those that made it are refused, and what is no receipt", async (t) => {
  const run = runner(t.testdir());
  const { text, keys, receipt } = await sealedClip({ at });
  const otherRoot = await run({ receipt: text, file: FILE, "roots.pem": root().pem });
  t.match(otherRoot, { code: 1, printed: /not over this manifest/ });
  const key = (name: string) => noteKeyPair(name, Buffer.alloc(32, 8)).vkey;
  const roots = { "roots.pem": keys.rootPem };
  t.match(await run({ receipt: text, file: FILE, ...roots, "log.vkey": key("log.example/custody") }), {
    code: 1,
    printed: /not signed by the log's key/,
  });
  t.match(await run({ receipt: text, file: FILE, ...roots, "log.vkey": key("log.elsewhere") }), { code: 1 });
  const several = `${key("log.example/custody")}\n${receipt.logKey}\n`;
  t.match(await run({ receipt: text, file: FILE, ...roots, "log.vkey": several }), { code: 0 }, "one of several keys");
  t.match(await run({ receipt: "{}", file: FILE, ...roots }), { code: 1, printed: /no entry/ });
  t.match(await run({ receipt: text }), { code: 2, printed: /usage/ });
});
