import { chmod, type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { impatient, verifyEverything } from "../support/fault.ts";
import { doctorOf } from "../support/fault-doctor.ts";
import { Fleet, newRecording, recordingOf } from "../support/fault-station.ts";
import { signIn } from "../support/people.ts";
import { Process, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const stack = await startStack(t, {
  store: "filesystem",
  queue: "postgres",
  withoutWorker: true,
  variables: impatient,
});
const fleet = new Fleet(stack);
const pace = { pieces: 1, gapMs: 0 };
const quarantined: string[] = [];
/** The file that holds a clip's original, past everything that dockseal guards. */
async function fileOf(clipId: string): Promise<string> {
  const clip = await stack.db
    .selectFrom("clip")
    .select(["objectKey", "versionId"])
    .where("id", "=", clipId)
    .executeTakeFirstOrThrow();
  return join(stack.directory, "evidence/objects", `${clip.objectKey}@`, `v-${clip.versionId}`);
}

/** Opens it for writing, as root, or dockseal's own user where there is no immutable flag, could. */
async function opened(clipId: string): Promise<FileHandle> {
  const path = await fileOf(clipId);
  await chmod(path, 0o600);
  return open(path, "r+");
}

/** Changes one byte in the middle. */
async function changeOneByte(clipId: string): Promise<void> {
  const file = await opened(clipId);
  try {
    const { size } = await file.stat();
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, Math.floor(size / 2));
    await file.write(Buffer.of((buffer[0] ?? 0) ^ 1), 0, 1, Math.floor(size / 2));
  } finally {
    await file.close();
  }
}

async function receipt(clipId: string): Promise<{ status: number; body: string }> {
  const answer = await fetch(`${stack.url}/api/v1/clips/${clipId}/receipt`, {
    headers: { authorization: `Bearer ${stack.party.token}` },
  });
  return { status: answer.status, body: await answer.text() };
}

function inState(clipId: string, state: string): Promise<true> {
  return until(`clip ${clipId} is ${state}`, async () => {
    const clip = await stack.db.selectFrom("clip").select("state").where("id", "=", clipId).executeTakeFirstOrThrow();
    return clip.state === state || undefined;
  });
}

function send() {
  return fleet.push(newRecording(700_000), pace);
}

t.test("bytes changed, or gone, before they are read back: quarantine, and never a receipt", async (t) => {
  const sound = await send();
  const changed = await send();
  const shortened = await send();
  const gone = await send();
  await changeOneByte(changed.clipId);
  const file = await opened(shortened.clipId);
  await file.truncate(699_999);
  await file.close();
  await rm(await fileOf(gone.clipId));
  const bad = [changed.clipId, shortened.clipId, gone.clipId];
  await stack.work.start();
  await inState(sound.clipId, "sealed");
  for (const clipId of bad) {
    await inState(clipId, "quarantined");
    const { status, body } = await receipt(clipId);
    t.equal(status, 409, "the receipt is refused");
    t.match(body, /\/problems\/quarantined/, "and the answer says why");
    // Said after the commit that others see.
    const said = new RegExp(`${clipId}.*clip quarantined`);
    await until("the log says it", async () => said.test(await stack.work.log()));
  }
  quarantined.push(...bad);
  const { code, findings } = await doctorOf(stack);
  t.equal(code, 1, "doctor exits 1");
  t.equal(findings.get("clips")?.status, "wrong");
  for (const clipId of bad) t.match(findings.get("clips")?.detail, new RegExp(clipId), "and names the clip");
  t.notMatch(findings.get("clips")?.detail, new RegExp(sound.clipId), "and no sound one");
});

t.test("bytes changed after the seal: verify on the server says so, and the clip goes into quarantine", async (t) => {
  const sealed = await send();
  await inState(sealed.clipId, "sealed");
  const auditor = await signIn(stack, "auditor");
  const verify = () => auditor.post<{ intact: boolean }>(`/api/v1/clips/${sealed.clipId}/verify`, {});
  t.equal((await verify()).intact, true, "as long as nothing was changed it is intact");
  await until("its steps are done", async () => {
    const pending = await stack.db.selectFrom("clipStep").select("step").where("state", "=", "pending").execute();
    return pending.length === 0;
  });
  await changeOneByte(sealed.clipId);
  const both = await Promise.all([verify(), verify()]);
  t.strictSame(
    both.map((found) => found.intact),
    [false, false],
    "then it is not, whoever asks",
  );
  await inState(sealed.clipId, "quarantined");
  t.equal((await receipt(sealed.clipId)).status, 409);
  quarantined.push(sealed.clipId);
});

t.test("a clip in quarantine does not come out of it, nor gets a seal", async (t) => {
  await stack.work.stop();
  const clip = await send();
  const auditor = await signIn(stack, "auditor");
  await changeOneByte(clip.clipId);
  const found = await auditor.post<{ intact: boolean }>(`/api/v1/clips/${clip.clipId}/verify`, {});
  t.equal(found.intact, false, "found before the hash job ran");
  await changeOneByte(clip.clipId); // whoever changed it puts it back
  quarantined.push(clip.clipId);
  await stack.work.start();
  const next = await send();
  await inState(next.clipId, "sealed");
  await inState(clip.clipId, "quarantined");
  t.equal((await receipt(clip.clipId)).status, 409);
});

t.test("bytes changed between the read-back and the transcoding are noticed there", async (t) => {
  await stack.work.stop();
  const clip = await send();
  const only = new Process("work", stack.environment, stack.directory, ["--queues", "hash,timestamp,bind"]);
  t.teardown(() => only.stop());
  await only.start();
  await inState(clip.clipId, "sealed");
  await only.stop();
  await changeOneByte(clip.clipId);
  await stack.work.start();
  await inState(clip.clipId, "quarantined");
  quarantined.push(clip.clipId);
});

t.test("after all of that everything else is as it must be", async (t) => {
  const again = recordingOf(Buffer.from("a short note\n"));
  await fleet.push(again, pace);
  await fleet.push(again, pace);
  const { differences, figures } = await verifyEverything(stack, fleet.acknowledged, { quarantined });
  t.strictSame(differences, [], `no difference; ${JSON.stringify(figures)}`);
});
