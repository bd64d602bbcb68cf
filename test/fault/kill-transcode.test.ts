import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { ffmpeg, scratch } from "../support/derive-media.ts";
import { impatient, verifyEverything } from "../support/fault.ts";
import { Fleet, recordingOf } from "../support/fault-station.ts";
import { until } from "../support/fault-until.ts";
import { startStack } from "../support/stack.ts";

const pace = { pieces: 4, gapMs: 5 };

t.test("a worker killed amid a transcode, and amid storing what it made: it is made again, and once", async (t) => {
  t.setTimeout(240_000);
  const stack = await startStack(t, { store: "s3", queue: "redis", variables: impatient });
  const fleet = new Fleet(stack);
  const dir = await scratch(t);
  const film = async (seconds: number, name: string) => {
    const path = join(dir, name);
    await ffmpeg("-f", "lavfi", "-i", `testsrc2=s=640x360:d=${seconds}`, "-c:v", "mpeg4", path);
    return recordingOf(await readFile(path), { fileName: name });
  };
  const scratchDir = stack.environment["DOCKSEAL_SCRATCH_DIR"] ?? "";
  const scratches = () => readdir(scratchDir).catch(() => []);

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
  t.equal((await scratches()).length, 1, "the copy of the original is left behind");
  await stack.work.start();
  t.equal((await scratches()).length, 0, "until the next worker starts");

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
  await stack.work.start();

  const { differences, figures } = await verifyEverything(stack, fleet.acknowledged);
  t.strictSame(differences, [], `no difference; ${JSON.stringify(figures)}`);
  const derivatives = await stack.db.selectFrom("derivative").select(["clipId", "role"]).execute();
  for (const { clipId } of fleet.acknowledged) {
    const roles = derivatives.filter((derivative) => derivative.clipId === clipId).map(({ role }) => role);
    t.strictSame(roles.sort(), ["playback", "poster", "sprite"], "one set of derivatives");
  }
  await until("no copy of an original is left", async () => (await scratches()).length === 0);
});
