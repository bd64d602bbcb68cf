import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import type { StationLine } from "#station";
import { bareNode } from "../support/bare-node.ts";
import { startStack } from "../support/stack.ts";

const run = promisify(execFile);
const cli = join(import.meta.dirname, "../../src/cli/dockseal.ts");

t.test("station push sends a card's files, waits for receipts, verifies them, and deletes nothing", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres" });
  const card = join(stack.directory, "card");
  await mkdir(card);
  await writeFile(join(card, "a.txt"), "询问笔录\n");
  await writeFile(
    join(card, "a.txt.metadata.json"),
    JSON.stringify({ recorderSerial: "REC-7", capturedAt: "2026-11-21 10:00:00" }),
  );
  await writeFile(join(card, "b.bin"), Buffer.alloc(300_000, 7));
  await writeFile(join(card, "empty.mp4"), "");
  const tokenFile = join(stack.directory, "token");
  await writeFile(tokenFile, `${stack.party.token}\n`);
  const push = async (): Promise<{ code: number; lines: StationLine[] }> => {
    const args = [
      "station",
      "push",
      card,
      "--server",
      stack.url,
      "--token-file",
      tokenFile,
      "--state",
      join(stack.directory, "state"),
    ];
    const { stdout, code } = await run("env", bareNode(cli, ...args, "--collector", "3715", "--json")).then(
      ({ stdout }) => ({ stdout, code: 0 }),
      (error: { stdout: string; code: number }) => error,
    );
    return {
      code,
      lines: stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    };
  };

  const first = await push();
  const byName = new Map(first.lines.map((line) => [line.file, line]));
  t.equal(first.code, 1, "one of the files has no receipt");
  t.match(byName.get("a.txt"), { state: "sealed", clipId: String, sha256: String, sizeBytes: 13, receipt: String });
  t.match(byName.get("b.bin"), { state: "sealed", sizeBytes: 300_000, receipt: String });
  t.match(
    byName.get("empty.mp4"),
    { state: "refused", problem: /Empty file/ },
    "an empty file is refused, with what to do",
  );
  t.notOk(byName.has("a.txt.metadata.json"), "what stands beside a file is not sent as a file");

  const metadata = await stack.db
    .selectFrom("clip")
    .innerJoin("recorder", "recorder.id", "clip.recorderId")
    .select(["fileName", "serial", "collectorNumber"])
    .orderBy("fileName")
    .execute();
  t.match(metadata, [
    { fileName: "a.txt", serial: "REC-7", collectorNumber: "3715" },
    { fileName: "b.bin", serial: "unknown-recorder", collectorNumber: "3715" },
  ]);

  const second = await push();
  t.match(
    second.lines.find((line) => line.file === "b.bin"),
    byName.get("b.bin"),
    "pushed again, a file with a receipt keeps it",
  );
  t.equal(
    (await stack.db.selectFrom("custodyEvent").select("id").where("type", "=", "clip.received-again").execute()).length,
    0,
    "and is not sent again",
  );
});
