import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DocksealError, pause } from "#kernel";
import { parseTrust, verifyReceipt } from "#verify";
import { type Access, ensureAccess } from "./access.ts";
import { makeDemoMedia } from "./demo-media.ts";
import { pathsOf, startInstallation } from "./installation.ts";
import { newLogger } from "./logger.ts";
import { PersonClient } from "./person-client.ts";
import { filesOf, type PushLine, pushFiles } from "./station-push.ts";
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
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const paths = pathsOf(options.dataDir);
  say(`Starting PostgreSQL, API and workers in ${paths.root} …`);
  const installation = await startInstallation({
    dataDir: options.dataDir,
    // A port that was not asked for must not keep the demo from running.
    port: options.port,
    logger: newLogger("demo", "warn"),
    // Sample data is to be thrown away again: locked for a day only, and without the file system's immutable flag.
    variables: { DOCKSEAL_RETENTION_DAYS: "1", DOCKSEAL_SANDBOX: "limits" },
    storeQuery: "?immutable=0",
  });
  try {
    const access = await ensureAccess(installation, sample);
    say(`ready ${installation.url}`);
    const files =
      options.mediaDir === undefined
        ? (await makeDemoMedia(join(paths.root, "card"), { signal: stop })).map(({ file: path, metadata }) => ({
            path,
            metadata,
          }))
        : await filesOf(options.mediaDir, { recorderSerial: "DEMO-RECORDER-1", collectorNumber: "DEMO-0001" });
    if (files.length === 0) throw new DocksealError("usage", { detail: `${options.mediaDir} holds no file` });
    say(`Pushing ${files.length} recordings as docking station ${access.station.number} …`);
    const lines = await pushFiles({
      server: installation.url,
      token: access.station.token,
      stateDir: join(paths.root, "station"),
      files,
      trust: parseTrust(await readFile(paths.trust, "utf8")),
      waitSeconds: 600,
      signal: stop,
      onLine: () => undefined,
    });
    const handler = await signInAs(access, "handler");
    const rows = await Promise.all(lines.map((line) => rowOf(line, handler, paths.trust, stop)));
    await bindFirstOfTray(handler, rows);
    say("");
    say(
      table(
        ["file", "kind", "bytes", "SHA-256", "state", "playable", "case", "receipt"],
        rows.map((row) => row.cells),
      ),
    );
    const wrong = rows.filter((row) => !row.ok).length;
    say(
      `\n${rows.length} recordings, ${rows.length - wrong} sealed with a verified receipt${wrong > 0 ? `, ${wrong} NOT` : ""}.`,
    );
    const first = lines.find((line) => line.receipt !== undefined);
    if (first?.receipt !== undefined) {
      const original = files.find(({ metadata }) => metadata.fileName === first.file)?.path ?? first.file;
      say(
        `Check one yourself, offline:\n  npx dockseal verify ${first.receipt} --file ${original} --trust ${paths.trust}`,
      );
    }
    if (options.once) return wrong === 0 ? 0 : 1;
    say(`\nThe API stays up at ${installation.url} (documentation: ${installation.url}/api/docs). Sign in as:`);
    say(
      table(
        ["role", "name", "password"],
        access.people.map(({ role, name, password }) => [role, name, password]),
      ),
    );
    say("Stop with Ctrl-C.");
    const reason = await Promise.race([aborted(stop), installation.failed]);
    return typeof reason === "string" ? 2 : 0;
  } finally {
    await installation.stop();
  }
}

const sample = {
  organization: "示范县城市管理局",
  people: [
    { role: "handler", name: "handler", displayName: "李办案" },
    { role: "supervisor", name: "supervisor", displayName: "王监督" },
    { role: "auditor", name: "auditor", displayName: "赵审计" },
    { role: "administrator", name: "admin", displayName: "陈管理" },
  ],
  station: { number: "37150000000000000001", name: "县局一楼采集站" },
} as const;

function signInAs(access: Access, role: string): Promise<PersonClient> {
  const person = access.people.find((candidate) => candidate.role === role);
  if (person === undefined)
    throw new DocksealError("usage", {
      detail: `access.json names no ${role}: was this directory made by \`dockseal up\`?`,
    });
  return PersonClient.signIn(access.url, person.name, person.password);
}

interface ClipView {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly playable: boolean | null;
  readonly unplayableReason: string | null;
  readonly placeText: string | null;
  readonly bindings: readonly { readonly caseId: string; readonly withdrawn: boolean }[];
}

interface Row {
  cells: string[];
  readonly clip: ClipView | undefined;
  readonly ok: boolean;
}

/** Waits until the clip was examined, then checks its receipt against the installation's trust file. */
async function rowOf(line: PushLine, handler: PersonClient, trustFile: string, stop: AbortSignal): Promise<Row> {
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
    ok: ok && clip.state === "sealed",
  };
}

/** What a case handler does with the tray: binds one of the clips that arrived without a case number. */
async function bindFirstOfTray(handler: PersonClient, rows: readonly Row[]): Promise<void> {
  const row = rows.find((candidate) => candidate.clip !== undefined && candidate.clip.bindings.length === 0);
  if (row?.clip === undefined) return;
  const number = `演示〔2026〕第${Date.now() % 100000}号`;
  const file = await handler.post<{ id: string; number: string }>("/api/v1/cases", {
    number,
    title: "从待绑定列表中绑定",
  });
  await handler.post(`/api/v1/cases/${file.id}/bindings`, {
    clipId: row.clip.id,
    evidencePurpose: "证明现场检查过程",
    capturePlace: row.clip.placeText ?? "示范县人民路",
    stage: "现场检查",
  });
  row.cells = row.cells.with(6, `${file.number} (by hand)`);
}
