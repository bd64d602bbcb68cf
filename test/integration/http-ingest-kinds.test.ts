import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { Caller } from "../support/api.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const run = promisify(execFile);

interface Seen {
  readonly state: string;
  readonly kind: string;
  readonly playable: boolean | null;
  readonly unplayableReason: string | null;
}

t.test("whatever a recorder holds is taken as evidence, playable or not", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres" });
  const path = (name: string) => join(stack.directory, name);
  const make = (input: string[], output: string, ...more: string[]) =>
    run("ffmpeg", ["-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i", ...input, ...more, path(output)]);
  await make(["testsrc=duration=2:size=160x120:rate=10"], "video.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p");
  await make(["testsrc=size=160x120"], "photo.jpg", "-frames:v", "1");
  const video = await readFile(path("video.mp4"));
  await writeFile(path("broken.mp4"), video.subarray(0, Math.floor(video.length / 2)));
  await writeFile(path("note.txt"), "执法记录\n");
  await writeFile(path("other.bin"), Buffer.from([0, 1, 2, 3, 255]));
  await writeFile(path("one-byte"), "x");

  const expected: [file: string, declared: string | undefined, seen: Partial<Seen>, needsReason: boolean][] = [
    ["video.mp4", "video", { kind: "video", playable: true, unplayableReason: null }, false],
    ["broken.mp4", "video", { playable: false }, true],
    ["photo.jpg", "photo", { kind: "photo" }, false],
    ["note.txt", "text", {}, false],
    ["other.bin", undefined, { playable: false }, true],
    ["one-byte", "video", { playable: false }, true],
  ];
  const reader = await Caller.person(stack, "handler");
  const sent: [id: string, ...(typeof expected)[number]][] = [];
  for (const one of expected) {
    const [file, declared] = one;
    const metadata = { ...someMetadata, fileName: file, ...(declared === undefined ? {} : { kind: declared }) };
    const answer = await sendClip(stack.url, stack.party.token, path(file), metadata);
    t.equal(answer.status, 201, `${file} is taken`);
    t.match(
      answer.json(),
      { playable: null, kind: declared ?? "other" },
      `${file}: nothing is claimed before it is seen`,
    );
    sent.push([answer.json<{ id: string }>().id, ...one]);
  }
  for (const [id, file, , seen, needsReason] of sent) {
    const clip = await until("it is sealed and examined", async () => {
      const now = (await reader.call("GET", `/api/v1/clips/${id}`)).json<Seen>();
      return now.state === "sealed" && now.playable !== null && now;
    });
    t.match(clip, { state: "sealed", ...seen }, `${file}: sealed, and seen for what it is`);
    if (needsReason) t.ok((clip?.unplayableReason ?? "").length > 5, `${file}: ${clip?.unplayableReason}`);
  }
});
