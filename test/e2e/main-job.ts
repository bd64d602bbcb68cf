import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Test } from "tap";
import { Caller } from "../support/api.ts";
import { bareNode } from "../support/bare-node.ts";
import { curl, sendClip, someMetadata } from "../support/curl.ts";
import { signIn } from "../support/people.ts";
import { type StackOptions, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const run = promisify(execFile);

interface ClipView {
  readonly id: string;
  readonly state: string;
  readonly sha256: string;
  readonly sm3: string;
  readonly chunkRoot: string;
  readonly playable: boolean | null;
  readonly kind: string;
  readonly bindings: readonly { readonly caseId: string; readonly revision: number }[];
}

/** The main job over HTTP, with curl as the client: runs on every kind of queue and store. */
export async function mainJob(t: Test, options: StackOptions): Promise<void> {
  t.setTimeout(240_000);
  const stack = await startStack(t, options);
  const { url, party } = stack;
  const handler = await signIn(stack, "handler");
  const auditor = await signIn(stack, "auditor");

  const bytes = randomBytes(9 * 1024 * 1024 + 12_345);
  const file = join(stack.directory, "clip.bin");
  await writeFile(file, bytes);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const metadata = {
    ...someMetadata,
    sizeBytes: bytes.length,
    digest: { sha256 },
    caseNumber: "测试〔2026〕1号",
    evidencePurpose: "证明现场情况",
    place: { text: "人民路1号" },
  };

  const sent = await sendClip(url, party.token, file, metadata);
  t.equal(sent.status, 201, `a clip is taken: ${sent.body}`);
  const clipId = sent.json<ClipView>().id;
  t.match(sent.headers, new RegExp(`location: /api/v1/clips/${clipId}`, "i"), "the answer says where the clip is");
  t.match(sent.json(), { state: "received", sha256 });

  const again = await sendClip(url, party.token, file, metadata);
  t.equal(again.status, 200, "the same file by the same recorder gives");
  t.equal(again.json<ClipView>().id, clipId, "the same clip");

  const receiptPath = join(stack.directory, "receipt.json");
  const receipt = await untilReceipt(url, party.token, clipId);
  await writeFile(receiptPath, receipt);
  const clip = await until(
    "it is examined and bound",
    async () => {
      const seen = await handler.get<ClipView>(`/api/v1/clips/${clipId}`);
      return seen.playable !== null && seen.bindings.length > 0 && seen;
    },
    { everyMs: 250 },
  );
  t.equal(clip.state, "sealed");
  t.equal(clip.sha256, (await run("sha256sum", [file])).stdout.slice(0, 64), "the SHA-256 is that of sha256sum");
  t.equal(
    clip.sm3,
    (await run("openssl", ["dgst", "-sm3", "-r", file])).stdout.slice(0, 64),
    "the SM3 is that of openssl",
  );
  t.equal(clip.chunkRoot, await chunkRootByShell(file), "the chunk root is that of split, sha256sum and some shell");
  t.equal(clip.playable, false, "random bytes are evidence that cannot be played");
  t.equal(clip.bindings.length, 1, "a clip with a case number and a purpose is bound by the worker");

  const cli = join(import.meta.dirname, "../../src/cli/dockseal.ts");
  const verified = await run("env", bareNode(cli, "verify", receiptPath, "--file", file));
  t.match(verified.stdout, / {2}OK\n/, "the receipt passes for the true file");
  const keys = JSON.parse(await readFile(join(stack.directory, "keys", "timestamp-authority.json"), "utf8"));
  await writeFile(join(stack.directory, "roots.pem"), keys.rootPem);
  const script = join(import.meta.dirname, "../../docs/verify-receipt.sh");
  const byShell = await run("sh", [script, receiptPath, file, join(stack.directory, "roots.pem")]);
  t.match(
    byShell.stdout,
    /^GOOD/,
    "openssl ts -verify accepts the token over the manifest, and the file is what it says",
  );
  const tampered = join(stack.directory, "tampered.bin");
  const changed = Buffer.from(bytes);
  changed[4_200_000] = (changed[4_200_000] ?? 0) ^ 1;
  await writeFile(tampered, changed);
  await t.rejects(
    run("env", bareNode(cli, "verify", receiptPath, "--file", tampered)),
    { code: 1 },
    "and not after one byte was changed",
  );

  const supervisor = await Caller.person(stack, "supervisor");
  await supervisor.view(clipId, "监督检查");
  const ranged = await curl(
    ...supervisor.headers,
    "-r",
    "100-199",
    "-o",
    join(stack.directory, "part"),
    `${url}/api/v1/clips/${clipId}/original`,
  );
  t.equal(ranged.status, 206, "a range of the original can be read");
  const whole = join(stack.directory, "whole");
  await run("curl", ["-sS", ...supervisor.headers, "-o", whole, `${url}/api/v1/clips/${clipId}/original`]);
  t.equal((await run("sha256sum", [whole])).stdout.slice(0, 64), sha256, "the original comes back as it was");

  const check = await auditor.post<{ intact: boolean }>(`/api/v1/clips/${clipId}/verify`, {});
  t.equal(check.intact, true, "verify on the server re-reads the stored bytes");

  const custody = await auditor.get<{
    items: { type: string; index: number | null; details: { purpose?: string; rendition?: string } }[];
  }>(`/api/v1/clips/${clipId}/custody`);
  const types = custody.items.map((item) => item.type);
  for (const type of [
    "clip.received",
    "clip.received-again",
    "clip.hashed",
    "clip.sealed",
    "clip.seal-published",
    "clip.unplayable",
    "clip.bound",
    "clip.viewed",
    "clip.verified",
  ]) {
    t.ok(types.includes(type), `the chain of custody holds ${type}`);
  }
  t.match(
    custody.items.filter(({ type }) => type === "clip.viewed").map(({ details }) => details),
    [{ purpose: "监督检查" }, { purpose: "监督检查", rendition: "original" }],
    "a session's ranges are one viewing, with what for, and one read of the original",
  );
}

/** Asks until the receipt is there. */
export async function untilReceipt(url: string, token: string, clipId: string): Promise<string> {
  const answer = await until(
    "there is a receipt, or a refusal",
    async () => {
      const said = await fetch(`${url}/api/v1/clips/${clipId}/receipt`, {
        headers: { authorization: `Bearer ${token}` },
      });
      return said.status !== 202 && { status: said.status, text: await said.text() };
    },
    { everyMs: 250 },
  );
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return answer.text;
}

/** RFC 6962 root over 4 MiB chunks with coreutils alone: leaf = SHA-256(00 ‖ chunk), node = SHA-256(01 ‖ left ‖ right). */
async function chunkRootByShell(file: string): Promise<string> {
  const script = `
    set -eu; d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
    split -b 4194304 -a 6 "$1" "$d/c."
    row=$(for c in "$d"/c.*; do { printf '\\000'; cat "$c"; } | sha256sum | cut -c1-64; done)
    bytes() { printf "$(printf %s "$1" | sed 's/../\\\\x&/g')"; }
    while [ "$(printf '%s\\n' "$row" | wc -l)" -gt 1 ]; do
      row=$(printf '%s\\n' "$row" | paste -d' ' - - | while read -r l r; do
        if [ -z "$r" ]; then echo "$l"; else { printf '\\001'; bytes "$l"; bytes "$r"; } | sha256sum | cut -c1-64; fi; done)
    done
    echo "$row"`;
  // A row's last node without a partner goes up as it is, which gives the tree of RFC 6962 §2.1.
  return (await run("bash", ["-c", script, "chunk-root", file])).stdout.trim();
}
