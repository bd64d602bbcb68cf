import { randomBytes } from "node:crypto";
import { appendFile, mkdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { noteKeyPair } from "#evidence";
import { filesOf, pushFiles, type StationLine } from "#station";
import { mountedCard } from "../../src/station/card.ts";
import { mountedCardWithFaults } from "../support/dying-card.ts";
import { impatient, verifyEverything } from "../support/fault.ts";
import { startStack } from "../support/stack.ts";
import {
  AgentProcess,
  contentOf,
  makeCard,
  serverWithReceipts,
  trustOfStack,
  watchUntil,
} from "../support/station-agent.ts";
import { until } from "../support/until.ts";

const stack = await startStack(t, { store: "filesystem", queue: "postgres", variables: impatient });
const trust = await trustOfStack(stack);
const server = stack.url;
const { token } = stack.party;
const never = new AbortController().signal;
const wipeAtOnce = { afterMs: 0, incomplete: false };
const defaults = { recorderSerial: "REC-1", collectorNumber: "3715" };

const sealedDigests = async (): Promise<Set<string>> => {
  const rows = await stack.db.selectFrom("clip").select("sha256").where("sealedAt", "is not", null).execute();
  return new Set(rows.map(({ sha256 }) => sha256));
};

/** A folder for one test, with a card and a state directory. */
async function place(name: string): Promise<{ directory: string; stateDir: string }> {
  const directory = join(stack.directory, name, "card");
  await mkdir(directory, { recursive: true });
  return { directory, stateDir: join(stack.directory, name, "state") };
}

function push(where: { directory: string; stateDir: string }, more: object = {}): Promise<StationLine[]> {
  return pushFiles({
    ...{ server, token, trust, stateDir: where.stateDir, waitSeconds: 60, signal: never, onLine: () => undefined },
    files: () => filesOf(where.directory, defaults),
    ...more,
  });
}

t.test(
  "kill -9 of two watching agents at 50 random moments: every file is sealed, and none is wiped before",
  async (t) => {
    const tokenFile = join(stack.directory, "token");
    const trustFile = join(stack.directory, "trust.json");
    await writeFile(tokenFile, token);
    await writeFile(trustFile, JSON.stringify({ type: "dockseal/trust@v1", ...trust }));
    const known = new Set<string>();
    const one = async (name: string): Promise<{ kills: number; files: Map<string, string> }> => {
      const { directory, stateDir } = await place(name);
      const small = Array.from({ length: 30 }, (_, at) => [
        `DCIM/${100 + (at % 3)}/clip-${Math.floor(at / 3)}.bin`,
        randomBytes(2000 + at * 300),
      ]);
      const large = Array.from({ length: 2 }, (_, at) => [`long-${at}.bin`, randomBytes(17_000_000 + at)]);
      const files = await makeCard(directory, Object.fromEntries([...small, ...large]));
      for (const digest of files.values()) known.add(digest);
      const args = ["--server", server, "--token-file", tokenFile, "--state", stateDir, "--trust", trustFile];
      const agent = new AgentProcess(
        [directory, ...args, "--quiet", "0", "--wipe-after", "1s", "--recorder", name, "--parallel", "3", "--json"],
        stateDir,
      );
      t.teardown(() => agent.kill9());
      let kills = 0;
      const lost: string[] = [];
      for (; kills < 25; kills += 1) {
        await agent.start();
        await agent.progress();
        await sleep(Math.random() * 250); // the random moment is the point
        await agent.kill9();
        const sealed = await sealedDigests();
        const left = await contentOf(directory);
        for (const [path, digest] of files) {
          if (left.has(path) ? left.get(path) !== digest : !sealed.has(digest)) lost.push(path);
        }
      }
      await agent.start();
      await until("the card is empty", async () => (await contentOf(directory)).size === 0, { seconds: 120 });
      await until("every wipe is reported", async () => {
        const rows = await stack.db
          .selectFrom("sourceWipe")
          .innerJoin("clip", "clip.id", "sourceWipe.clipId")
          .innerJoin("recorder", "recorder.id", "clip.recorderId")
          .select(["sourceWipe.fileName", "clip.sha256"])
          .where("recorder.serial", "=", name)
          .execute();
        return rows.length >= files.size && rows;
      });
      t.strictSame(lost, [], `${name}: after each kill every file was untouched, or sealed before it was wiped`);
      t.equal(await agent.stop(), 0, "and the agent stops when it is told to");
      return { kills, files };
    };
    const ends = await Promise.all([one("REC-A"), one("REC-B")]);
    t.equal(ends[0].kills + ends[1].kills, 50);
    const sealed = await sealedDigests();
    t.strictSame(
      [...known].filter((digest) => !sealed.has(digest)),
      [],
      "every file's digest is that of a sealed clip",
    );
    const wipes = await stack.db
      .selectFrom("sourceWipe")
      .innerJoin("clip", "clip.id", "sourceWipe.clipId")
      .select(["sourceWipe.fileName as path", "clip.sha256"])
      .execute();
    t.equal(wipes.length, ends[0].files.size + ends[1].files.size, "each wipe is logged once, whatever was repeated");
    const odd = wipes.filter(({ path, sha256 }) => !ends.some(({ files }) => files.get(path) === sha256));
    t.strictSame(odd, [], "with the digest of the file of that name");
  },
);

t.test("a card that gives EIO in the middle: the rest is kept, the gaps are told, and it is never wiped", async (t) => {
  const where = await place("dying");
  const bytes = Buffer.alloc(18_000_000, "evidence ");
  const files = await makeCard(where.directory, {
    "damaged-long.bin": bytes,
    "damaged-short.bin": bytes.subarray(0, 50_000),
    "good.bin": randomBytes(40_000),
  });
  const card = mountedCardWithFaults(/damaged/, [{ offset: 40_000, length: 10 }]);
  const lines = await watchUntil(
    { server, token, trust, ...where, card, wipe: wipeAtOnce },
    (said) =>
      said.filter(({ state }) => state === "sealed").length === 3 && said.some(({ state }) => state === "wiped"),
  );
  const gaps = [{ offset: 36_864, length: 4096 }];
  for (const name of ["damaged-long.bin", "damaged-short.bin"]) {
    const line = lines.find(({ file, state }) => file === name && state === "sealed");
    t.match(line, { unreadableRanges: gaps, receipt: String }, `${name} is sealed`);
    const answer = await fetch(`${server}/api/v1/clips/${line?.clipId}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    t.match(
      await answer.json(),
      { incompleteSource: true, metadata: { unreadableRanges: gaps } },
      "and shown as incomplete",
    );
  }
  t.strictSame(
    [...(await contentOf(where.directory))].sort(),
    [...files].filter(([name]) => name !== "good.bin").sort(),
    "what could be read whole was wiped, and nothing else",
  );
  await watchUntil(
    { server, token, trust, ...where, card, wipe: { ...wipeAtOnce, incomplete: true } },
    (said) => said.filter(({ state }) => state === "wiped").length === 2,
  );
  t.equal((await contentOf(where.directory)).size, 0, "only who asks for it wipes what could not be read whole");
});

t.test("a file that grows while it is read is not taken; at rest it is, whole", async (t) => {
  for (const sizeBytes of [100_000, 17_500_000]) {
    const where = await place(`growing-${sizeBytes}`);
    const first = randomBytes(sizeBytes);
    await makeCard(where.directory, { "growing.bin": first });
    const path = join(where.directory, "growing.bin");
    const card = {
      async open(name: string) {
        const file = await mountedCard.open(name);
        let grown = false;
        return {
          ...file,
          read: async (into: Buffer, position: number) => {
            if (position > 0 || into.length > 65_536) {
              if (!grown) await appendFile(path, "more");
              grown = true;
            }
            return file.read(into, position);
          },
        };
      },
    };
    const [line] = await push(where, { card });
    t.match(line, { state: "failed", problem: /changed while it was read/ });
    const whole = (await contentOf(where.directory)).get("growing.bin") ?? "";
    const [again] = await push(where);
    t.match(again, { state: "sealed", sha256: whole, sizeBytes: sizeBytes + 4 }, "what is sealed is the whole file");
    const rows = await stack.db.selectFrom("clip").select("id").where("sizeBytes", "=", sizeBytes).execute();
    t.strictSame(rows, [], "and of the half one there is nothing");
  }
});

t.test("two files with one name, and one file under two names", async (t) => {
  const where = await place("names");
  const [first, second] = [randomBytes(5000), randomBytes(5000)];
  const files = await makeCard(where.directory, { "a/1.bin": first, "b/1.bin": second, "c/copy.bin": first });
  const lines = await push(where);
  const found = new Map(lines.map((line) => [line.file, line]));
  for (const [name, sha256] of files) t.match(found.get(name), { state: "sealed", sha256, receipt: String }, name);
  t.not(found.get("a/1.bin")?.clipId, found.get("b/1.bin")?.clipId, "one name, two clips");
  t.equal(found.get("a/1.bin")?.clipId, found.get("c/copy.bin")?.clipId, "two names, one clip");
  await watchUntil(
    { server, token, trust, ...where, wipe: wipeAtOnce },
    (said) => said.filter(({ state }) => state === "wiped").length === 3,
  );
  t.equal((await contentOf(where.directory)).size, 0, "each wiped on its own receipt");
});

t.test("nothing is wiped that is not provably held", async (t) => {
  const other = await place("other");
  await makeCard(other.directory, { "other.bin": randomBytes(3000) });
  const [held] = await push(other);
  const otherReceipt = await readFile(held?.receipt ?? "", "utf8");
  const unproven: [name: string, problem: RegExp, options: object][] = [
    ["receipt-of-another", /file-sha256/, { server: await serverWithReceipts(t, stack, async () => otherReceipt) }],
    ["no-receipt-at-all", /receipt-format/, { server: await serverWithReceipts(t, stack, async () => '{"ok":true}') }],
    [
      "key-not-trusted",
      /log-key-trusted/,
      { trust: { ...trust, logs: [noteKeyPair("another.example/log", randomBytes(32)).vkey] } },
    ],
  ];
  for (const [name, problem, options] of unproven) {
    const where = await place(name);
    const files = await makeCard(where.directory, { "clip.bin": randomBytes(4000) });
    const lines = await watchUntil({ server, token, trust, ...where, wipe: wipeAtOnce, ...options }, (said) =>
      said.some(({ state }) => state === "unverified"),
    );
    t.match(
      lines.find(({ state }) => state === "unverified"),
      { problem },
      name,
    );
    t.strictSame(await contentOf(where.directory), files, `${name}: the card is as it was`);
  }

  const later: [name: string, problem: RegExp, tamper: (path: string, receipt: string) => Promise<void>][] = [
    ["receipt-replaced", /file-sha256/, (_, receipt) => writeFile(receipt, otherReceipt)],
    ["receipt-removed", /not there/, (_, receipt) => rm(receipt)],
    [
      "file-changed-in-secret",
      /not the one that was sent/,
      async (path) => {
        const { atime, mtime } = await stat(path);
        const bytes = await readFile(path);
        bytes.writeUInt8(bytes.readUInt8(70_000) ^ 1, 70_000);
        await writeFile(path, bytes);
        await utimes(path, atime, mtime);
      },
    ],
  ];
  for (const [name, problem, tamper] of later) {
    const where = await place(name);
    await makeCard(where.directory, { "clip.bin": randomBytes(80_000) });
    const path = join(where.directory, "clip.bin");
    // A time in whole milliseconds, which can be put back.
    await utimes(path, 1_763_710_200, 1_763_710_200);
    const [line] = await push(where);
    t.match(line, { state: "sealed" });
    await tamper(path, line?.receipt ?? "");
    const before = await contentOf(where.directory);
    const lines = await watchUntil({ server, token, trust, ...where, wipe: wipeAtOnce }, (said) =>
      said.some(({ state }) => state === "kept"),
    );
    t.match(
      lines.find(({ state }) => state === "kept"),
      { problem },
      name,
    );
    t.strictSame(await contentOf(where.directory), before, `${name}: the card is as it was`);
  }
});

t.test("after all of it everything on the server is as it must be", async (t) => {
  const { differences, figures } = await verifyEverything(stack, []);
  t.strictSame(differences, [], `no difference; ${JSON.stringify(figures)}`);
});
