import { createHash } from "node:crypto";
import { chmod, open } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { Caller } from "../support/api.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { sample } from "../support/derive-media.ts";
import { impatient } from "../support/fault.ts";
import { startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

interface Derivative {
  readonly role: string;
  readonly revision: number;
  readonly sha256: string;
}

t.test("a damaged playable copy is found, made anew as a further revision, and its alarm ends", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", variables: impatient });
  const file = await sample(stack.directory, "silent.mp4");
  const { id } = (await sendClip(stack.url, stack.party.token, file, someMetadata)).json<{ id: string }>();
  const auditor = await Caller.person(stack, "auditor");
  const playback = async (revision: number) => {
    const { derivatives } = (await auditor.call("GET", `/api/v1/clips/${id}`)).json<{ derivatives: Derivative[] }>();
    return derivatives.find((made) => made.role === "playback" && made.revision === revision);
  };
  await until("it is playable and in the log", async () => {
    const { state } = await stack.db.selectFrom("clip").select("state").executeTakeFirstOrThrow();
    if (state !== "sealed" || (await playback(1)) === undefined) return false;
    // Last: each of these also leaves an event that waits for its place in the log.
    return (await stack.db.selectFrom("custodyPending").select("eventId").execute()).length === 0;
  });
  const { objectKey, versionId } = await stack.db
    .selectFrom("derivative")
    .select(["objectKey", "versionId"])
    .where("role", "=", "playback")
    .executeTakeFirstOrThrow();
  const path = join(stack.directory, "evidence/objects", `${objectKey}@`, `v-${versionId}`);
  await chmod(path, 0o600);
  const handle = await open(path, "r+");
  await handle.write(Buffer.from("altered"), 0, 7, 3000);
  await handle.close();
  const run = (await auditor.call("POST", "/api/v1/audits", {})).json<{ id: string }>();
  const alarms = () => stack.db.selectFrom("alarm").select(["kind", "subject", "clearedAt"]).execute();
  await until("the alarm is raised", async () => (await alarms()).length > 0);
  t.match(await alarms(), [{ kind: "fixity-damage", subject: `${id}/playback` }]);
  const anew = await until("it is made anew", () => playback(2));
  await auditor.view(id);
  const shown = Buffer.from(
    await (
      await fetch(`${stack.url}/api/v1/clips/${id}/playback`, { headers: { cookie: cookieOf(auditor) } })
    ).arrayBuffer(),
  );
  t.equal(createHash("sha256").update(shown).digest("hex"), anew.sha256, "the new one is served");
  await until("the alarm is over", async () => (await alarms()).every(({ clearedAt }) => clearedAt !== null));
  await until("the audit is over", async () => {
    const { state } = (await auditor.call("GET", `/api/v1/audits/${run.id}`)).json<{ state: string }>();
    return state === "finished";
  });
  t.match((await auditor.call("GET", `/api/v1/audits/${run.id}`)).json(), { damagedCount: 1, unreadableCount: 0 });
  t.match((await auditor.call("GET", `/api/v1/clips/${id}`)).json(), { state: "sealed", playable: true });
});

function cookieOf(caller: Caller): string {
  return caller.headers.find((line) => line.startsWith("cookie: "))?.slice("cookie: ".length) ?? "";
}
