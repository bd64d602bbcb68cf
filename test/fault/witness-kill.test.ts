import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { openNote, parseCheckpoint, parseNote, parseTlogSize } from "#evidence";
import { pause } from "#kernel";
import { until } from "../support/until.ts";
import { RewritableLog } from "../support/witness-log.ts";
import { witnessProcess } from "../support/witness-process.ts";

// A witness is worth what it never does: cosign two histories of a log. Each log here has two, and both are pressed on
// the witness at once, again and again, while it is killed.

const FORK = 5;
const LAST = 25;
const KILLS = 3;

/** Both histories of a log: the same up to FORK. */
async function contest(at: number): Promise<[RewritableLog, RewritableLog]> {
  const begin = () => new RewritableLog(`county-${at}.example/log`).growTo(FORK);
  return Promise.all([begin().then((log) => log.growTo(LAST)), begin().then((log) => log.growTo(LAST, "another"))]);
}

interface Given {
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  readonly time: number;
}

/**
 * Presses one history on the witness until the log's last size is cosigned, of whichever history.
 * @param most how far it may be pressed for now.
 */
async function press(
  log: RewritableLog,
  urls: readonly string[],
  { most, keep }: { most: () => number; keep: (body: string, checkpoint: string) => void },
) {
  let seen = 0;
  for (let turn = 0; seen < LAST; turn += 1) {
    if (seen >= most()) {
      await pause(5);
      continue;
    }
    const size = Math.min(Math.max(seen, FORK) + 1 + (turn % 3), most());
    const url = urls[turn % urls.length] ?? "";
    const request = await log.request(seen, size);
    let answer: Response;
    let body: string;
    try {
      answer = await fetch(`${url}/add-checkpoint`, { method: "POST", body: request });
      body = await answer.text();
    } catch {
      await pause(20); // killed just now
      continue;
    }
    if (answer.status === 200) {
      keep(body, await log.checkpoint(size));
      seen = size;
    } else if (answer.status === 409) {
      seen = parseTlogSize(body);
    } else if (answer.status === 422) {
      return; // the other history won
    } else {
      throw new Error(`${answer.status} ${body}`);
    }
  }
}

for (const processes of [1, 2]) {
  t.test(
    `no two histories of a log are cosigned, by ${processes} process(es) of a witness that is killed`,
    async (t) => {
      const contests = await Promise.all(Array.from({ length: 8 }, (_, at) => contest(at)));
      const policy = contests.map(([log]) => ({ origin: log.origin, keys: [log.signer.vkey] }));
      const directory = t.testdir();
      const dataDir = join(directory, "memory");
      const witnesses = await Promise.all(
        Array.from({ length: processes }, () =>
          witnessProcess(directory, policy, { dataDir, name: "bureau.example/w1" }),
        ),
      );
      t.teardown(() => Promise.all(witnesses.map(({ process }) => process.stop())));
      await Promise.all(witnesses.map(({ process }) => process.start()));
      const vkey = (await witnesses[0]?.key()) ?? "";
      const given: Given[] = [];
      const keep = (body: string, checkpoint: string): void => {
        const { text } = parseNote(checkpoint);
        const { origin, size, root } = parseCheckpoint(text);
        for (const { time } of openNote(`${text}\n${body}`, [vkey]).cosignedBy) {
          given.push({ origin, size, root: root.toString("hex"), time });
        }
      };
      const urls = witnesses.map(({ url }) => url);
      let kills = 0;
      // As far as there is something left for every kill, however long a start takes while the other process answers.
      const most = (): number => FORK + ((LAST - FORK) * (kills + 1)) / (KILLS + 1);
      const pressing = Promise.all(
        contests.flatMap(([log, twin]) =>
          [log, twin, log, twin].map((history) => press(history, urls, { most, keep })),
        ),
      );
      // Killed in the midst of requests, each time after some more were answered.
      for (; kills < KILLS; kills += 1) {
        const wanted = given.length + 5;
        await until("more cosignatures are given", () => given.length >= wanted, { everyMs: 1 });
        const { process } = witnesses[kills % processes] ?? { process: undefined };
        await process?.kill9();
        await process?.start();
      }
      await pressing;
      for (const [log, twin] of contests) {
        const mine = given.filter(({ origin }) => origin === log.origin);
        const roots = async (history: RewritableLog): Promise<boolean> => {
          for (const { size, root } of mine) {
            const expected = parseCheckpoint(parseNote(await history.checkpoint(size)).text).root.toString("hex");
            if (root !== expected) return false;
          }
          return true;
        };
        t.ok((await roots(log)) !== (await roots(twin)), `${log.origin}: ${mine.length} cosignatures, of one history`);
        const byTime = mine.toSorted((a, b) => a.time - b.time || a.size - b.size);
        t.same(
          byTime.map(({ size }) => size),
          byTime.map(({ size }) => size).toSorted((a, b) => a - b),
          "and with time only larger trees",
        );
      }
      const [first] = witnesses;
      const { alarms } = (await (await fetch(`${first?.url}/alarms`)).json()) as { alarms: { origin: string }[] };
      t.equal(
        new Set(alarms.map(({ origin }) => origin)).size,
        contests.length,
        "each log's other history is an alarm",
      );
      t.match(await readFile(first?.process.logPath ?? "", "utf8"), /ALARM: a log shows a history that contradicts/);
    },
  );
}

t.test("what a witness answers is on disk before, with the file's name and the journal's removal", async (t) => {
  const log = await new RewritableLog().growTo(3);
  const directory = t.testdir();
  await mkdir(join(directory, "memory"));
  const policy = join(directory, "policy.json");
  await writeFile(policy, JSON.stringify({ logs: [{ origin: log.origin, keys: [log.signer.vkey] }] }));
  const trace = join(directory, "trace");
  const cli = join(import.meta.dirname, "../../src/cli/dockseal.ts");
  const command = [cli, "witness", "--data", join(directory, "memory"), "--policy", policy, "--port", "0"];
  const calls = "trace=fsync,fdatasync,unlink,write,writev";
  // A file for each thread: in one file, calls of two threads at once stand in two halves.
  const traced = spawn("strace", ["-ff", "-y", "-s", "32", "-e", calls, "-o", trace, process.execPath, ...command], {
    env: { PATH: process.env["PATH"] },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(traced, "exit");
  let [out, err] = ["", ""];
  traced.stdout.on("data", (chunk) => {
    out += chunk;
  });
  traced.stderr.on("data", (chunk) => {
    err += chunk;
  });
  const url = await until("it listens", () => /^ready (.*)$/m.exec(out)?.[1]);
  const pid = Number(await until("it has said who it is", () => /"pid":(\d+)/.exec(err)?.[1]));
  const answer = await fetch(`${url}/add-checkpoint`, { method: "POST", body: await log.request(0) });
  t.equal(answer.status, 200);
  await answer.text();
  process.kill(pid, "SIGTERM");
  await ended;
  const lines = (await readFile(`${trace}.${pid}`, "utf8")).split("\n");
  const answered = lines.findIndex((line) => line.includes('"HTTP/1.1 200 OK'));
  const removed = lines.findLastIndex(
    (line, at) => at < answered && /unlink\(".*witness\.db-journal"\) += 0/.test(line),
  );
  const synced = (path: RegExp, from: number, to: number): boolean =>
    lines.some((line, at) => at > from && at < to && /f(data)?sync\(/.test(line) && path.test(line));
  t.ok(removed > 0, "the journal is removed before the answer");
  t.ok(synced(/memory\/witness\.db>/, 0, removed), "the file is synced before the journal is removed");
  t.ok(synced(/\/memory>/, removed, answered), "and the removal is synced before the answer");
});
