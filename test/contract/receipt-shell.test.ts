import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { encodeReceipt } from "#evidence";
import { root } from "../support/forged-timestamps.ts";
import { FILE, sealedClip } from "../support/sealed-clip.ts";

// docs/verify-receipt.sh is what a court runs who trusts neither the server nor this program: sh, coreutils, openssl.

t.setTimeout(60_000);

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

t.test("a true receipt and file are accepted, with the authority's root and with the receipt's own", async (t) => {
  const run = runner(t.testdir());
  const { text, keys } = await sealedClip({ at });
  t.match(await run({ receipt: text, file: FILE, "roots.pem": keys.rootPem }), { code: 0, printed: /^GOOD: file/ });
  t.match(await run({ receipt: text, file: FILE }), { code: 0, printed: /whose timestamp it is stays open/ });
  t.match(await run({ receipt: text.replaceAll("\n", "\r\n"), file: FILE }), { code: 0 }, "with other line ends");
});

t.test("a changed file, manifest, token or root is refused", async (t) => {
  const run = runner(t.testdir());
  const { text, receipt, keys } = await sealedClip({ at });
  const flipped = (bytes: Buffer, n: number): Buffer =>
    Buffer.from(bytes.map((byte, i) => (i === n ? byte ^ 1 : byte)));
  const roots = { "roots.pem": keys.rootPem };
  const longer = Buffer.concat([FILE, Buffer.from("x")]);
  t.match(await run({ receipt: text, file: longer, ...roots }), { code: 1, printed: /another size/ });
  t.match(await run({ receipt: text, file: flipped(FILE, 3), ...roots }), { code: 1, printed: /another sha256/ });
  for (const n of [0, 20, receipt.manifest.length - 1]) {
    const changed = encodeReceipt({ ...receipt, manifest: flipped(receipt.manifest, n) });
    t.match(await run({ receipt: changed, file: FILE, ...roots }), { code: 1, printed: /not over this manifest/ });
  }
  const token = flipped(receipt.timestampToken, receipt.timestampToken.length - 2);
  t.match(await run({ receipt: encodeReceipt({ ...receipt, timestampToken: token }), file: FILE, ...roots }), {
    code: 1,
  });
  t.match(await run({ receipt: text, file: FILE, "roots.pem": root().pem }), {
    code: 1,
    printed: /not over this manifest/,
  });
  t.match(await run({ receipt: "{}", file: FILE, ...roots }), { code: 1, printed: /no manifest/ });
  t.match(await run({ receipt: text }), { code: 2, printed: /usage/ });
});
