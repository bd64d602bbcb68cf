#!/usr/bin/env node
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { DocksealError, isProblem } from "#kernel";
import type { StationOptions } from "./station-command.ts";

const usage = `dockseal: body-camera footage from the docking station to the courtroom, with proof

  dockseal up [--data DIR] [--port N]              everything on this machine
  dockseal demo [--data DIR] [--port N] [--once] [--media DIR]
                                                   up, with sample recordings (or those of a folder) and a table of what became of them
  dockseal serve                                   the API (configured by DOCKSEAL_* variables, see .env.example)
  dockseal work [--queues hash,timestamp,transcode,bind,export]
                                                   the workers
  dockseal migrate                                 bring the database up to date, make keys on first use
  dockseal doctor [--data DIR] [--json]            what is wrong with an installation
  dockseal fsck [--data DIR] [--deep] [--json]     what differs from what the log, its events and the store give
  dockseal log-key list | rotate | retire ID [--data DIR] [--json]
                                                   the keys that sign the custody log
  dockseal admin --organization NAME --name NAME   the first administrator of an organization
  dockseal export --case NUMBER [--organization NAME] | --clip ID --out DIR [--data DIR] [--json]
                                                   a case or clip as a bag that strangers can check
  dockseal station push DIR --server URL --token-file F [--state DIR] [--recorder SERIAL] [--collector NUMBER] [--trust FILE] [--wait SECONDS] [--json]
                                                   send a card's files, wait for receipts, verify them
  dockseal station watch DIR --server URL --token-file F … [--quiet SECONDS] [--wipe-after 7d [--wipe-incomplete]]
                                                   the same for ever, with whatever comes to rest in DIR; wipes only if told to, and only
                                                   on a receipt verified with --trust. Both take [--parallel N] [--limit MIB_PER_SECOND]
                                                   [--zone ZONE] [--recorder-clock TIME]
  dockseal verify PATH… [--file ORIGINAL] [--trust FILE] [--json]
                                                   check receipts, seal bundles and exported bags, offline
  dockseal witness --data DIR --policy FILE [--host H] [--port N] [--name NAME] | --check [--json] | --acknowledge ID --reason TEXT
                                                   cosign checkpoints of the logs in the policy, for a supervising bureau;
                                                   --check tells what was seen last, exit code 1 while an alarm stands

Exit code 0: done. 1: checked and wrong. 2: usage or environment.
`;

type Values = Record<string, string | boolean | undefined>;
interface Command {
  readonly options: ParseArgsOptionsConfig;
  /** Least and greatest number of arguments. */
  readonly arguments: readonly [number, number];
  readonly run: (values: Values, positionals: string[]) => Promise<number>;
}

const string = { type: "string" } as const;
const flag = { type: "boolean" } as const;
const defaultData = ".dockseal";
const stationOptions = {
  server: string,
  "token-file": string,
  state: string,
  recorder: string,
  collector: string,
  trust: string,
  parallel: string,
  limit: string,
  zone: string,
  "recorder-clock": string,
  json: flag,
} as const;

/** Each command loads its own modules: `verify` must not even load what could open a socket. */
const commands: Readonly<Record<string, Command>> = {
  up: {
    options: { data: string, port: string },
    arguments: [0, 0],
    run: async (values) => (await import("./up.ts")).up({ dataDir: dataOf(values), port: portOf(values) }),
  },
  demo: {
    options: { data: string, port: string, once: flag, media: string },
    arguments: [0, 0],
    run: async (values) =>
      (await import("./demo.ts")).demo({
        dataDir: resolve(textOf(values, "data") ?? ".dockseal-demo"),
        port: portOf(values),
        once: values["once"] === true,
        mediaDir: textOf(values, "media"),
      }),
  },
  serve: { options: {}, arguments: [0, 0], run: async () => (await import("./serve.ts")).serve() },
  work: {
    options: { queues: string },
    arguments: [0, 0],
    run: async (values) => {
      const queues = textOf(values, "queues")?.split(",");
      return (await import("./work.ts")).work(queues === undefined ? {} : { queues });
    },
  },
  migrate: { options: {}, arguments: [0, 0], run: async () => (await import("./migrate.ts")).migrate() },
  doctor: {
    options: { data: string, json: flag },
    arguments: [0, 0],
    run: async (values) => (await import("./doctor.ts")).doctor(installationOf(values)),
  },
  fsck: {
    options: { data: string, deep: flag, json: flag },
    arguments: [0, 0],
    run: async (values) =>
      (await import("./fsck.ts")).fsck({ ...installationOf(values), deep: values["deep"] === true }),
  },
  "log-key list": {
    options: { data: string, json: flag },
    arguments: [0, 0],
    run: async (values) => (await import("./log-key.ts")).logKeyList(installationOf(values)),
  },
  "log-key rotate": {
    options: { data: string, json: flag },
    arguments: [0, 0],
    run: async (values) => (await import("./log-key.ts")).logKeyRotate(installationOf(values)),
  },
  "log-key retire": {
    options: { data: string, json: flag },
    arguments: [1, 1],
    run: async (values, [keyId = ""]) => (await import("./log-key.ts")).logKeyRetire(keyId, installationOf(values)),
  },
  admin: {
    options: { organization: string, name: string },
    arguments: [0, 0],
    run: async (values) =>
      (await import("./admin.ts")).admin({
        organization: required(values, "organization"),
        name: required(values, "name"),
      }),
  },
  export: {
    options: { case: string, organization: string, clip: string, out: string, data: string, json: flag },
    arguments: [0, 0],
    run: async (values) =>
      (await import("./export.ts")).exportBag({
        caseNumber: textOf(values, "case"),
        organization: textOf(values, "organization"),
        clipId: textOf(values, "clip"),
        outDir: required(values, "out"),
        dataDir: textOf(values, "data"),
        json: values["json"] === true,
      }),
  },
  "station push": {
    options: { ...stationOptions, wait: string },
    arguments: [1, 1],
    run: async (values, [directory = ""]) =>
      (await import("./station-command.ts")).stationPush({
        ...stationOf(values, directory),
        waitSeconds: numberOf(values, "wait") ?? 600,
      }),
  },
  "station watch": {
    options: { ...stationOptions, quiet: string, "wipe-after": string, "wipe-incomplete": flag },
    arguments: [1, 1],
    run: async (values, [directory = ""]) =>
      (await import("./station-command.ts")).stationWatch({
        ...stationOf(values, directory),
        quietSeconds: numberOf(values, "quiet") ?? 10,
        wipeAfter: textOf(values, "wipe-after"),
        wipeIncomplete: values["wipe-incomplete"] === true,
      }),
  },
  verify: {
    options: { trust: string, file: string, json: flag },
    arguments: [1, 10_000],
    run: async (values, paths) =>
      (await import("./verify.ts")).verify({
        paths,
        trustFile: textOf(values, "trust"),
        originalFile: textOf(values, "file"),
        json: values["json"] === true,
      }),
  },
  witness: {
    options: {
      data: string,
      policy: string,
      host: string,
      port: string,
      name: string,
      check: flag,
      json: flag,
      acknowledge: string,
      reason: string,
    },
    arguments: [0, 0],
    run: async (values) => {
      const commands = await import("./witness.ts");
      const dataDir = resolve(required(values, "data"));
      if (values["check"] === true) return commands.checkWitness({ dataDir, json: values["json"] === true });
      const id = numberOf(values, "acknowledge");
      if (id !== undefined) return commands.acknowledgeAlarm({ dataDir, id, reason: required(values, "reason") });
      return commands.witness({
        dataDir,
        policyFile: required(values, "policy"),
        host: textOf(values, "host") ?? "127.0.0.1",
        port: portOf(values) ?? 8090,
        name: textOf(values, "name"),
      });
    },
  },
};

/** An installation by its directory, or by the environment. */
function installationOf(values: Values): { dataDir: string | undefined; json: boolean } {
  return { dataDir: textOf(values, "data"), json: values["json"] === true };
}

function stationOf(values: Values, directory: string): StationOptions {
  return {
    directory,
    server: required(values, "server"),
    tokenFile: required(values, "token-file"),
    stateDir: resolve(textOf(values, "state") ?? "dockseal-station"),
    recorderSerial: textOf(values, "recorder"),
    collectorNumber: textOf(values, "collector"),
    trustFile: textOf(values, "trust"),
    parallel: numberOf(values, "parallel"),
    limitMibPerSecond: numberOf(values, "limit"),
    zone: textOf(values, "zone"),
    recorderClock: textOf(values, "recorder-clock"),
    json: values["json"] === true,
  };
}

function wrongUsage(detail: string): DocksealError {
  return new DocksealError("usage", { detail });
}

function textOf(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

function required(values: Values, name: string): string {
  const value = textOf(values, name);
  if (value === undefined) throw wrongUsage(`--${name} is needed`);
  return value;
}

function numberOf(values: Values, name: string): number | undefined {
  const text = textOf(values, name);
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw wrongUsage(`--${name} must be a whole number`);
  return Number(text);
}

function portOf(values: Values): number | undefined {
  const port = numberOf(values, "port");
  if (port !== undefined && port > 65535) throw wrongUsage("--port must be at most 65535");
  return port;
}

function dataOf(values: Values): string {
  return resolve(textOf(values, "data") ?? defaultData);
}

async function main(args: string[]): Promise<number> {
  if (args.length === 0 || args.includes("--help") || args[0] === "help") {
    process.stdout.write(usage);
    return args.length === 0 ? 2 : 0;
  }
  if (args[0] === "--version") {
    const { version } = JSON.parse(await readFile(join(import.meta.dirname, "../../package.json"), "utf8")) as {
      version: string;
    };
    process.stdout.write(`${version}\n`);
    return 0;
  }
  const name = ["station", "log-key"].includes(args[0] ?? "") ? args.slice(0, 2).join(" ") : (args[0] ?? "");
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw wrongUsage(`there is no command \`${name}\``);
  const { values, positionals } = parseOrExplain(args.slice(name.split(" ").length), command.options);
  const [least, most] = command.arguments;
  if (positionals.length < least) throw wrongUsage(`\`dockseal ${name}\` needs an argument`);
  if (positionals.length > most)
    throw wrongUsage(`\`dockseal ${name}\` does not take ${JSON.stringify(positionals[most])}`);
  return command.run(values as Values, positionals);
}

function parseOrExplain(args: string[], options: ParseArgsOptionsConfig) {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    throw wrongUsage((error as Error).message);
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (isProblem(error)) {
    process.stderr.write(
      `dockseal: ${error.title}${error.detail === undefined ? "" : `: ${error.detail}`}\n${error.advice}\n`,
    );
    if (error.cause instanceof Error && error.code !== "usage") process.stderr.write(`Cause: ${error.cause.message}\n`);
  } else {
    process.stderr.write(`dockseal: ${error instanceof Error ? error.stack : String(error)}\n`);
  }
  process.exitCode = 2;
}
