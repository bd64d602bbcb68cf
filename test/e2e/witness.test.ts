import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { logKeyIn, openAlarms, sequenceBatch } from "#custody";
import { openCheckpoint, type TimestampAuthorityKeys } from "#evidence";
import { verifyReceipt } from "#verify";
import { signersIn } from "../../src/custody/log-key.ts";
import { bareNode } from "../support/bare-node.ts";
import { atRest } from "../support/fault.ts";
import { doctorOf } from "../support/fault-doctor.ts";
import { Fleet, newRecording } from "../support/fault-station.ts";
import { appendSome } from "../support/log.ts";
import { signIn } from "../support/people.ts";
import { rewriteHistory } from "../support/rewritten-log.ts";
import { startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";
import { witnessProcess } from "../support/witness-process.ts";

// A bureau's witnesses and an agency's log, as processes of their own, from the first receipt to a rewritten history.

const run = promisify(execFile);
const cli = join(import.meta.dirname, "../../src/cli/dockseal.ts");
const directory = await mkdtemp(join(tmpdir(), "dockseal-witnesses-"));
t.teardown(() => rm(directory, { recursive: true, force: true }));
const log = await logKeyIn(join(directory, "keys"), "county.example/dockseal");
const policy = [{ origin: log.origin, keys: [log.vkey] }];
const names = ["bureau", "court", "congress"] as const;
const witnesses = await Promise.all(
  names.map((name) => witnessProcess(join(directory, name), policy, { name: `${name}.example/w1` })),
);
const [bureau, court, congress] = witnesses;
if (bureau === undefined || court === undefined || congress === undefined) throw new Error("three witnesses");
t.teardown(() => Promise.all(witnesses.map(({ process }) => process.stop())));
for (const { process } of witnesses) await process.start();
const keys = await Promise.all(witnesses.map(({ key }) => key()));
// The third is away from the beginning: two of three will do.
await congress.process.stop();
const witnessFile = join(directory, "witnesses.json");
const listed = witnesses.map(({ url }, at) => ({ url, key: keys[at] }));
await writeFile(witnessFile, JSON.stringify({ threshold: 2, witnesses: listed }));

const stack = await startStack(t, {
  store: "filesystem",
  queue: "postgres",
  variables: {
    DOCKSEAL_KEYS_DIR: log.directory,
    DOCKSEAL_LOG_ORIGIN: log.origin,
    DOCKSEAL_WITNESS_FILE: witnessFile,
  },
});
const fleet = new Fleet(stack);

/** `dockseal witness` with options, for the bureau's directory. */
async function operator(...options: string[]): Promise<{ code: number; stdout: string }> {
  const args = [cli, "witness", "--data", bureau?.dataDir ?? "", ...options];
  return run("env", bareNode(...args)).then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error: { code: number; stdout: string }) => error,
  );
}

/** What a worker does it says afterwards. */
const logSays = (what: RegExp): Promise<boolean> =>
  until(`the worker's log says ${what}`, async () => what.test(await stack.work.log()));

const seenBy = async (url: string): Promise<number> => {
  const { logs } = (await (await fetch(`${url}/logs`)).json()) as { logs: { head: { size: number } | null }[] };
  return logs[0]?.head?.size ?? 0;
};

async function trust(threshold: number) {
  const authority = JSON.parse(
    await readFile(join(log.directory, "timestamp-authority.json"), "utf8"),
  ) as TimestampAuthorityKeys;
  return { logs: [log.vkey], timestampRoots: [authority.rootPem], witnesses: { threshold, keys } };
}

t.test("a receipt becomes a witnessed one, while one witness of three is away", async (t) => {
  const { clipId, facts } = await fleet.push(newRecording(300_000), { pieces: 1, gapMs: 0 });
  const receipt = await until("the receipt is witnessed", async () => {
    const answer = await fetch(`${stack.url}/api/v1/clips/${clipId}/receipt`, {
      headers: { authorization: `Bearer ${stack.party.token}` },
    });
    const text = await answer.text();
    return answer.headers.get("dockseal-witnessed") === "yes" && text;
  });
  const verdict = await verifyReceipt(receipt, { trust: await trust(2), file: facts });
  t.match(verdict, { ok: true, clipId });
  t.equal(verdict.checks.find(({ name }) => name === "checkpoint-witnessed")?.status, "passed");
  const three = await verifyReceipt(receipt, { trust: await trust(3), file: facts });
  t.same(
    three.checks.filter(({ status }) => status === "failed").map(({ name, detail }) => `${name}: ${detail}`),
    ["checkpoint-witnessed: 2 of 3 trusted witnesses cosigned, 3 are wanted"],
  );
  const metrics = await (await fetch(`${stack.url}/metrics`)).text();
  t.match(metrics, /dockseal_log_cosigned_size\{witness="bureau\.example\/w1\+[0-9a-f]{8}"\} [1-9]/);
  t.match(metrics, /dockseal_log_entries\{part="witnessed"\} [1-9]/);
  t.same(await openAlarms(stack.db), [], "who is away is no alarm");
  t.ok(await logSays(/a witness could not be asked/), "but the log says so");
});

t.test("who was away catches up, and the published checkpoint carries whatever cosignatures it has", async (t) => {
  await congress.process.start();
  await until("all three cosigned the newest checkpoint", async () => {
    const note = await (await fetch(`${stack.url}/log/checkpoint`)).text();
    return openCheckpoint(note, [log.vkey, ...keys], log.origin).cosignedBy.length === 3;
  });
  const { findings } = await doctorOf(stack);
  t.match(findings.get("witnesses"), { status: "ok", detail: /witnessed \(2 of 3\) up to size \d+ of \d+; bureau/ });
  t.ok(await seenBy(congress.url));
});

t.test("a witness that saw size 40 refuses a rewritten history at 41, and both sides alarm", async (t) => {
  await atRest(stack, 60);
  const entries = await stack.db.selectFrom("logEntry").select("index").execute();
  await appendSome(stack.db, 40 - entries.length);
  await until("the witnesses saw 40", async () =>
    (await Promise.all(witnesses.map(({ url }) => seenBy(url)))).every((size) => size === 40),
  );
  await until("and that is kept", async () => {
    const kept = await stack.db.selectFrom("logCosignature").select("witness").where("size", "=", 40).execute();
    return kept.length === 3;
  });
  await bureau.process.kill9();
  await bureau.process.start();
  t.equal(await seenBy(bureau.url), 40, "it does not forget when it is killed");

  await stack.work.kill9();
  await appendSome(stack.db, 1);
  // Until the database has noticed that the worker is dead, its transaction may still hold the lock.
  await until("one is sequenced", async () => (await sequenceBatch(stack.db)) === 1);
  const [signer] = await signersIn(log);
  t.equal(await rewriteHistory(stack.db, signer, 20), 41);
  await stack.work.start();

  const alarms = await until("each witness is an alarm of the log", async () => {
    const open = (await openAlarms(stack.db)).filter(
      ({ kind, subject }) => kind === "log-forked" && subject.includes(".example/w1+"),
    );
    return open.length === 3 && open;
  });
  for (const name of names) {
    const alarm = alarms.find(({ subject }) => subject.startsWith(`${name}.example`));
    t.match(alarm?.detail, /41 entries do not continue the 40 that it has seen.*docs\/operations\.md/, name);
  }
  t.ok(await logSays(/ALARM: a witness refuses/));
  const auditor = await signIn(stack, "auditor");
  t.match(JSON.stringify(await auditor.get("/api/v1/alarms")), /log-forked/);
  const { code, findings } = await doctorOf(stack);
  t.equal(code, 1);
  t.match(findings.get("alarms"), { status: "wrong", detail: /log-forked \(bureau\.example/ });

  const onTheirSide = (await (await fetch(`${bureau.url}/alarms`)).json()) as { alarms: Record<string, string>[] };
  const [alarm] = onTheirSide.alarms;
  t.match(alarm, { kind: "inconsistent", origin: log.origin, size: 41 });
  t.match(
    openCheckpoint(alarm?.["checkpoint"] ?? "", [log.vkey]),
    { size: 41 },
    "with what the log signed as evidence",
  );
  t.match(openCheckpoint(alarm?.["seen"] ?? "", [log.vkey]), { size: 40 }, "and what it had signed before");
  t.match(await bureau.process.log(), /ALARM: a log shows a history that contradicts what was seen/);
  for (const { url } of witnesses) t.equal(await seenBy(url), 40, "nothing of the other history was cosigned");
  const note = await (await fetch(`${stack.url}/log/checkpoint`)).text();
  t.same(openCheckpoint(note, [log.vkey, ...keys]).cosignedBy, []);
});

t.test("the witness's alarm stands until its operator acknowledges it", async (t) => {
  await stack.work.stop();
  const standing = await operator("--check", "--json");
  t.equal(standing.code, 1);
  const { alarms } = JSON.parse(standing.stdout) as { alarms: { id: number }[] };
  t.equal(alarms.length, 1);
  t.match((await operator("--check")).stdout, /^ALARM 1 .* county\.example\/dockseal: inconsistent, size 41$/m);
  const id = String(alarms[0]?.id);
  t.equal((await operator("--acknowledge", id)).code, 2, "not without a reason");
  t.equal((await operator("--acknowledge", "99", "--reason", "x")).code, 2);
  t.equal((await operator("--acknowledge", id, "--reason", "案件已移送")).code, 0);
  t.equal((await operator("--check")).code, 0);
  t.equal((await operator("--acknowledge", id, "--reason", "x")).code, 2, "once");
  t.match(await (await fetch(`${bureau.url}/alarms`)).json(), { alarms: [] });
});
