import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DocksealError, pause } from "#kernel";
import { type CardFile, filesOf, pushFiles, type StationLine } from "#station";
import { parseTrust, verifyReceipt } from "#verify";
import { type Access, ensureAccess } from "./access.ts";
import { type BoundClip, bindFirst, bindPlant, openCases } from "./demo-cases.ts";
import { caseNumber, organizationOfDemo, peopleOfDemo, stationsOfDemo } from "./demo-cast.ts";
import { exportAndVerify } from "./demo-export.ts";
import { liveOn, reportGapsAtOnce } from "./demo-life.ts";
import { makeDemoMedia } from "./demo-media.ts";
import { shanghaiYear } from "./demo-times.ts";
import { type Installation, pathsOf, startInstallation } from "./installation.ts";
import { newLogger } from "./logger.ts";
import { PersonClient } from "./person-client.ts";
import { aborted, stopSignal } from "./stop-signal.ts";
import { table } from "./table.ts";

export interface DemoOptions {
  readonly dataDir: string;
  readonly port?: number | undefined;
  readonly once: boolean;
  readonly mediaDir?: string | undefined;
}

/** `dockseal demo`: the whole way of some recordings, from the docking station to the verified receipt, as a table. */
export async function demo(options: DemoOptions): Promise<number> {
  const stop = stopSignal();
  const paths = pathsOf(options.dataDir);
  say(`Starting PostgreSQL, API and workers in ${paths.root} …`);
  // Made while everything starts.
  const cards = Promise.allSettled([cardsOf(options, paths, stop)]);
  const installation = await startInstallation({
    dataDir: options.dataDir,
    // A port that was not asked for must not keep the demo from running.
    port: options.port,
    logger: newLogger("demo", "warn"),
    // Sample data is to be thrown away again: locked for a day only, and without the file system's immutable flag.
    variables: { DOCKSEAL_RETENTION_DAYS: "1", DOCKSEAL_SANDBOX: "limits", DOCKSEAL_CHECKPOINT_ANCHOR_SECONDS: "5" },
    storeQuery: "?immutable=0",
  });
  try {
    const access = await ensureAccess(installation, {
      organization: organizationOfDemo,
      people: peopleOfDemo,
      stations: stationsOfDemo,
    });
    say(`ready ${installation.url}`);
    const [made] = await cards;
    if (made.status === "rejected") throw made.reason;
    return await show(options, { installation, access, paths, stop, ...made.value });
  } finally {
    await cards;
    await installation.stop();
  }
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

interface Demo {
  readonly installation: Installation;
  readonly access: Access;
  readonly paths: ReturnType<typeof pathsOf>;
  readonly nowMs: number;
  readonly stop: AbortSignal;
  readonly cards: readonly Card[];
}

async function show(options: DemoOptions, demo: Demo): Promise<number> {
  const { installation, access, paths, nowMs, stop, cards } = demo;
  const own = options.mediaDir !== undefined;
  const handler = await signInAs(access, "handler");
  if (!own) {
    await openCases(handler, nowMs);
    await reportGapsAtOnce(await signInAs(access, "administrator"));
  }
  const order = new Map(cards.flatMap(({ files }) => files).map(({ name }, at) => [name, at]));
  const lines = (await Promise.all(cards.map((card) => push(demo, card))))
    .flat()
    .sort((a, b) => (order.get(a.file) ?? 0) - (order.get(b.file) ?? 0));
  const rows = await Promise.all(lines.map((line) => rowOf(line, handler, paths.trust, stop)));
  const clips = rows.flatMap(({ clip }) => clip ?? []);
  const byHand = own ? await bindFirst(handler, clips, shanghaiYear(nowMs)) : await bindPlant(handler, clips, nowMs);
  say("");
  say(
    table(
      ["file", "kind", "bytes", "SHA-256", "state", "playable", "case", "receipt"],
      rows.map(({ cells, clip }) => {
        const number = byHand.get(clip?.id ?? "");
        return number === undefined ? cells : cells.with(caseColumn, `${number} (by hand)`);
      }),
    ),
  );
  const wrong = rows.filter((row) => !row.ok).length;
  say(
    `\n${rows.length} recordings, ${rows.length - wrong} sealed with a verified receipt${wrong > 0 ? `, ${wrong} NOT` : ""}.`,
  );
  sayHowToCheck(lines, demo);
  const cases = [...rows.map(({ cells }) => cells[caseColumn]), ...byHand.values()];
  const number = own ? cases.find((name) => name && name !== "–") : caseNumber("market", nowMs);
  const bag = number === undefined || wrong > 0 ? undefined : await exportAndVerify(paths, number);
  if (bag !== undefined) {
    const { passed, failed, "not-checked": unchecked } = bag.counts;
    say(`\nThe case ${number} as a court gets it, with everything that checks it:\n  ${bag.path}`);
    say(`  ${bag.ok ? "verified" : "NOT VERIFIED"}: ${passed} checks passed, ${failed} failed, ${unchecked} not made`);
    say(`  cd there and follow VERIFY.txt, or: npx dockseal verify ${bag.path} --trust ${paths.trust}`);
  }
  if (options.once) return wrong === 0 && bag?.ok !== false ? 0 : 1;
  say(`\nThe console is at ${installation.url} (documentation of the API: ${installation.url}/api/docs). Sign in as:`);
  say(
    table(
      ["role", "name", "password"],
      access.people.map(({ role, name, password }) => [role, name, password]),
    ),
  );
  say("Stop with Ctrl-C.");
  if (!own) await sayWhatHappensThen(demo, handler, clips);
  const reason = await Promise.race([aborted(stop), installation.failed]);
  return typeof reason === "string" ? 2 : 0;
}

/** What one docking station sends. */
interface Card {
  readonly station: string;
  readonly files: readonly CardFile[];
}

async function cardsOf(
  { mediaDir, once }: DemoOptions,
  paths: Demo["paths"],
  signal: AbortSignal,
): Promise<Pick<Demo, "cards" | "nowMs">> {
  const [first] = stationsOfDemo;
  if (mediaDir !== undefined) {
    const files = await filesOf(mediaDir, { recorderSerial: "DEMO-RECORDER-1", collectorNumber: "DEMO-0001" });
    if (files.length === 0) throw new DocksealError("usage", { detail: `${mediaDir} holds no file` });
    return { cards: [{ station: first.number, files }], nowMs: Date.now() };
  }
  // Once is enough to see that it works; whoever stays wants something to look at.
  const wanted = { nowMs: Date.now(), all: !once, signal };
  const { files, nowMs } = await makeDemoMedia(join(paths.root, "card"), wanted);
  const cards = stationsOfDemo.map(({ number }) => ({
    station: number,
    files: files
      .filter(({ station }) => station === number)
      .map(({ file, metadata }) => ({ path: file, name: metadata.fileName, describe: async () => metadata })),
  }));
  return { cards, nowMs };
}

async function push({ installation, access, paths, stop }: Demo, { station, files }: Card): Promise<StationLine[]> {
  const at = access.stations.findIndex(({ number }) => number === station);
  say(`Pushing ${files.length} recordings as docking station ${station} …`);
  return pushFiles({
    server: installation.url,
    token: access.stations[at]?.token ?? "",
    stateDir: join(paths.root, at === 0 ? "station" : `station-${at + 1}`),
    files: () => files,
    trust: parseTrust(await readFile(paths.trust, "utf8")),
    waitSeconds: 600,
    signal: stop,
    onLine: () => undefined,
  });
}

function signInAs(access: Access, role: string): Promise<PersonClient> {
  const person = access.people.find((candidate) => candidate.role === role);
  if (person === undefined)
    throw new DocksealError("usage", {
      detail: `access.json names no ${role}: was this directory made by \`dockseal up\`?`,
    });
  return PersonClient.signIn(access.url, person.name, person.password);
}

interface ClipView extends BoundClip {
  readonly kind: string;
  readonly state: string;
  readonly playable: boolean | null;
  readonly unplayableReason: string | null;
  readonly sha256: string;
  readonly sizeBytes: number;
}

interface Row {
  readonly cells: readonly string[];
  readonly clip: ClipView | undefined;
  readonly ok: boolean;
}
const caseColumn = 6;

/** Waits until the clip was examined, then checks its receipt against the installation's trust file. */
async function rowOf(line: StationLine, handler: PersonClient, trustFile: string, stop: AbortSignal): Promise<Row> {
  const { file, clipId, sha256 = "", sizeBytes = 0 } = line;
  if (clipId === undefined || line.receipt === undefined) {
    return {
      cells: [file, "", String(sizeBytes), sha256, line.state, "", "", line.problem ?? "none"],
      clip: undefined,
      ok: false,
    };
  }
  let clip = await handler.get<ClipView>(`/api/v1/clips/${clipId}`);
  for (let waited = 0; clip.playable === null && waited < 600 && !stop.aborted; waited += 1) {
    await pause(500, stop);
    clip = await handler.get<ClipView>(`/api/v1/clips/${clipId}`);
  }
  const trust = parseTrust(await readFile(trustFile, "utf8"));
  const { ok } = await verifyReceipt(await readFile(line.receipt, "utf8"), { trust });
  const bound = clip.bindings.find((binding) => !binding.withdrawn);
  const number =
    bound === undefined ? "–" : (await handler.get<{ number: string }>(`/api/v1/cases/${bound.caseId}`)).number;
  const playable = clip.playable === true ? "yes" : `no (${clip.unplayableReason ?? "not examined yet"})`;
  return {
    cells: [file, clip.kind, String(sizeBytes), sha256, clip.state, playable, number, ok ? "verified" : "NOT VERIFIED"],
    clip,
    // What the demo itself has damaged in an earlier run is in quarantine, and its receipt holds.
    ok: ok && (clip.state === "sealed" || clip.state === "quarantined"),
  };
}

function sayHowToCheck(lines: readonly StationLine[], { paths, cards }: Demo): void {
  const first = lines.find((line) => line.receipt !== undefined);
  if (first?.receipt === undefined) return;
  const files = cards.flatMap((card) => card.files);
  const original = files.find(({ name }) => name === first.file)?.path ?? first.file;
  say(`Check one yourself, offline:\n  npx dockseal verify ${first.receipt} --file ${original} --trust ${paths.trust}`);
}

/** The console can be used meanwhile; what goes wrong here does not end it. */
async function sayWhatHappensThen(demo: Demo, handler: PersonClient, clips: readonly ClipView[]): Promise<void> {
  const { access, paths, stop } = demo;
  try {
    const [supervisor, auditor] = [await signInAs(access, "supervisor"), await signInAs(access, "auditor")];
    // As they are now, with what was bound by hand.
    const current = await Promise.all(clips.map(({ id }) => handler.get<ClipView>(`/api/v1/clips/${id}`)));
    const people = { handler, supervisor, auditor };
    const damaged = await liveOn({ people, clips: current, storeDir: paths.store, stop });
    if (damaged === undefined) return;
    say(
      "\nSome of it was viewed, verified, exported and audited since. One byte of this stored file was changed, as a",
    );
    say(`disk does that fails; the audit has found it, and it is in quarantine:\n  ${damaged}`);
  } catch (error) {
    if (!stop.aborted) say(`\nNot all of the demo could be shown: ${(error as Error).message}`);
  }
}
