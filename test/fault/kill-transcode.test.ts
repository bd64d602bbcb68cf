import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { ffmpeg, scratch } from "../support/derive-media.ts";
import { impatient, verifyEverything } from "../support/fault.ts";
import { Fleet, recordingOf } from "../support/fault-station.ts";
import { heldTable } from "../support/held-table.ts";
import { startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const pace = { pieces: 4, gapMs: 5 };

t.test("a worker killed amid a transcode, and amid storing what it made: it is made again, and once", async (t) => {
  const stack = await startStack(t, { store: "s3", queue: "redis", variables: impatient });
  const fleet = new Fleet(stack);
  const dir = await scratch(t);
  const film = async (seconds: number, name: string) => {
    const path = join(dir, name);
    await ffmpeg("-f", "lavfi", "-i", `testsrc2=s=640x360:d=${seconds}`, "-c:v", "mpeg4", path);
    return recordingOf(await readFile(path), { fileName: name });
  };
  const scratchDir = stack.environment["DOCKSEAL_SCRATCH_DIR"] ?? "";
  const scratches = () => readdir(scratchDir).catch((): string[] => []);

  await fleet.push(await film(40, "long.avi"), pace);
  await until(
    "ffmpeg writes the playable copy",
    async () => {
      const [clip] = await scratches();
      if (clip === undefined) return undefined;
      const made = (await readdir(join(scratchDir, clip), { recursive: true })).filter((name) => name.endsWith(".mp4"));
      const sizes = await Promise.all(made.map(async (name) => (await stat(join(scratchDir, clip, name))).size));
      return sizes.some((size) => size > 0);
    },
    { everyMs: 10 },
  );
  await stack.work.kill9();
  const [left = "", ...others] = await scratches();
  t.ok(left !== "" && others.length === 0, "the copy of the original is left behind");
  await stack.work.start();
  // It may be at the same clip already, in a directory of its own.
  t.notOk((await scratches()).includes(left), "until the next worker starts");

  // Nothing of what is made can be recorded for a while: then what is on its way stays there until it is seen.
  const letGo = await heldTable(t, stack.db, "derivative");
  await fleet.push(await film(3, "short.avi"), pace);
  await until(
    "a derivative is on its way into the store",
    async () => {
      const intents = await stack.db.selectFrom("storeIntent").select("purpose").execute();
      return intents.some((intent) => intent.purpose === "derivative");
    },
    { everyMs: 5 },
  );
  await stack.work.kill9();
  await letGo();
  await stack.work.start();

  // A job that came twice may still be at work when the clip is done, and what it makes is discarded then.
  await until(
    "no copy of an original is left",
    async () => {
      const pending = await stack.db.selectFrom("clipStep").select("step").where("state", "=", "pending").execute();
      return pending.length === 0 && (await scratches()).length === 0;
    },
    { seconds: 120 },
  );
  const { differences, figures } = await verifyEverything(stack, fleet.acknowledged);
  t.strictSame(differences, [], `no difference; ${JSON.stringify(figures)}`);
  const derivatives = await stack.db.selectFrom("derivative").select(["clipId", "role"]).execute();
  for (const { clipId } of fleet.acknowledged) {
    const roles = derivatives.filter((derivative) => derivative.clipId === clipId).map(({ role }) => role);
    t.strictSame(roles.sort(), ["playback", "poster", "sprite"], "one set of derivatives");
  }
});
