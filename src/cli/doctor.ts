import { sql } from "kysely";
import { type Config, configFromEnvironment, parseConfig } from "#config";
import { lastCheckpoint, logFigures } from "#custody";
import { type Database, missingMigrations } from "#db";
import { ffmpegVersion, mediaSettings, probeSandbox } from "#derive";
import { clipFigures } from "#ingest";
import { openQueue } from "#queue";
import { environmentOf } from "./installation.ts";
import { newLogger } from "./logger.ts";
import { openPlatform, type Platform, timestampSourceOf } from "./platform.ts";

type Finding = { readonly name: string; readonly status: "ok" | "warning" | "wrong"; readonly detail: string };
type Check = (platform: Platform) => Promise<Omit<Finding, "name">>;

const ok = (detail: string) => ({ status: "ok", detail }) as const;
const warning = (detail: string) => ({ status: "warning", detail }) as const;
const wrong = (detail: string) => ({ status: "wrong", detail }) as const;

/** `dockseal doctor`: says what an installation is worth, honestly. @returns 0, or 1 when something is wrong. */
export async function doctor(options: { dataDir: string | undefined; json: boolean }): Promise<number> {
  const config =
    options.dataDir === undefined ? configFromEnvironment() : parseConfig(await environmentOf(options.dataDir));
  const platform = await openPlatform(config, newLogger("doctor", "fatal"));
  try {
    let somethingWrong = false;
    for (const [name, check] of Object.entries(checks)) {
      const finding: Finding = {
        name,
        ...(await check(platform).catch((error: unknown) => wrong((error as Error).message))),
      };
      if (finding.status === "wrong") somethingWrong = true;
      const line = options.json
        ? JSON.stringify(finding)
        : `${finding.status.padEnd(8)} ${finding.name.padEnd(16)} ${finding.detail}`;
      process.stdout.write(`${line}\n`);
    }
    return somethingWrong ? 1 : 0;
  } finally {
    await platform.close();
  }
}

const checks: Readonly<Record<string, Check>> = {
  database: async ({ db }) => {
    const { rows } = await sql<{ version: string }>`SELECT version()`.execute(db);
    const missing = await missingMigrations(db);
    return missing.length === 0
      ? ok(rows[0]?.version.split(",")[0] ?? "")
      : wrong(`migrations missing: ${missing.join(", ")}`);
  },
  "append-only": async ({ db }) => appendOnly(db),
  queue: async ({ config }) => queueHealth(config),
  store: async ({ store }) => {
    await store.ping();
    return ok(store.location);
  },
  "write-once": async ({ store }) => {
    const report = await store.probeWorm();
    return report.writeOnce ? ok(report.detail) : wrong(report.detail);
  },
  "custody log": async ({ db, logKey }) => {
    const { entries, waiting, events, checkpointSize } = await logFigures(db);
    const checkpoint = await lastCheckpoint(db);
    const figures = `${logKey.origin}: ${entries} entries, ${waiting} waiting, checkpoint of size ${checkpoint?.size ?? 0}`;
    if (entries + waiting !== events) return wrong(`${figures}, but ${events} events: some are in no log`);
    if (checkpointSize > entries) return wrong(`${figures}: entries that were signed are missing`);
    return ok(figures);
  },
  timestamps: async ({ config }) => {
    const source = await timestampSourceOf(config);
    return source.independent
      ? ok(source.name)
      : warning("built-in authority: not independent of whoever runs this machine");
  },
  clips: async ({ db }) => {
    const { states, quarantined } = await clipFigures(db);
    const figures =
      Object.entries(states)
        .map(([state, count]) => `${count} ${state}`)
        .join(", ") || "none";
    return quarantined.length === 0 ? ok(figures) : wrong(`${figures}. In quarantine: ${quarantined.join(", ")}`);
  },
  steps: async ({ db, config }) => overdueSteps(db, config.stepOverdueSeconds),
  ffmpeg: async ({ config }) => {
    const settings = mediaSettings({ sandbox: config.sandbox });
    return ok(await ffmpegVersion(settings, AbortSignal.timeout(20_000)));
  },
  sandbox: async ({ config }) => {
    const { level, detail } = await probeSandbox();
    if (level === "bubblewrap") return ok(detail);
    return config.sandbox === "require"
      ? wrong(`${detail}; DOCKSEAL_SANDBOX=require refuses to run ffmpeg so`)
      : warning(detail);
  },
};

async function appendOnly(db: Database): Promise<Omit<Finding, "name">> {
  const { rows } = await sql<{ role: string; superuser: boolean; owner: boolean; mayChange: boolean }>`
    SELECT current_user AS role, rolsuper AS superuser,
      pg_has_role(current_user, relowner, 'USAGE') AS owner,
      has_table_privilege(current_user, 'custody_event', 'UPDATE') OR has_table_privilege(current_user, 'custody_event', 'DELETE') AS may_change
    FROM pg_roles, pg_class WHERE rolname = current_user AND pg_class.oid = 'custody_event'::regclass`.execute(db);
  const row = rows[0];
  if (row === undefined) return wrong("the role of this connection is unknown");
  if (row.superuser || row.owner || row.mayChange) {
    return warning(
      `role ${row.role} owns the tables or may change them: only triggers guard the log. Use a role that is a member of dockseal_app alone`,
    );
  }
  return ok(`role ${row.role} can neither change nor remove what is append-only`);
}

async function queueHealth(config: Config): Promise<Omit<Finding, "name">> {
  const queue = openQueue({ url: config.queueUrl, log: newLogger("doctor", "silent") });
  try {
    const health = await queue.health();
    const depth = Object.entries(health.depth ?? {}).map(
      ([name, counts]) => `${name} ${counts.waiting + counts.active + counts.delayed}`,
    );
    if (!health.ok) return wrong(`${health.backend} does not answer: ${health.problems.join("; ")}`);
    return health.problems.length === 0
      ? ok(`${health.backend}: ${depth.join(", ")}`)
      : warning(`${health.backend}: ${health.problems.join("; ")}`);
  } finally {
    await queue.close({ deadlineMs: 2000 });
  }
}

async function overdueSteps(db: Database, overdueSeconds: number): Promise<Omit<Finding, "name">> {
  const { rows } = await sql<{ step: string; count: number; lastError: string | null }>`
    SELECT step, count(*) AS count, max(last_error) AS last_error FROM clip_step JOIN clip ON clip.id = clip_id
    WHERE clip.state <> 'quarantined' AND (clip_step.state = 'failed' OR (clip_step.state = 'pending' AND
      -- The reconciler touches a step each time that it queues it again: its generation tells what the time does not.
      (last_error IS NOT NULL OR generation > 2 OR
        touched_at < clock_timestamp() - make_interval(secs => ${2 * overdueSeconds}))))
    GROUP BY step ORDER BY step`.execute(db);
  if (rows.length === 0) return ok("none is overdue or failed");
  return warning(
    rows
      .map(
        ({ step, count, lastError }) =>
          `${count} × ${step} overdue or failed${lastError === null ? "" : ` (last: ${lastError})`}`,
      )
      .join("; "),
  );
}
