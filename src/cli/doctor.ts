import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { auditFigures, replicaFigures } from "#audit";
import { type Config, configFromEnvironment, parseConfig } from "#config";
import { lastCheckpoint, logFigures, openAlarms, witnessFigures } from "#custody";
import { type Database, missingMigrations } from "#db";
import { ffmpegVersion, mediaSettings, probeSandbox } from "#derive";
import { imprintsOf, verifyTimestampToken } from "#evidence";
import { readPdfFont } from "#export";
import { clipFigures } from "#ingest";
import { openQueue } from "#queue";
import { environmentOf } from "./installation.ts";
import { newLogger } from "./logger.ts";
import { openPlatform, type Platform, timestampAuthoritiesOf, witnessesOf } from "./platform.ts";
import { replicaOf } from "./replica.ts";

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
  alarms: async ({ db }) => {
    const alarms = await openAlarms(db);
    return alarms.length === 0
      ? ok("none is open")
      : wrong(alarms.map(({ kind, subject, detail }) => `${kind} (${subject}): ${detail}`).join("; "));
  },
  fixity: async (platform) => fixity(platform),
  witnesses: async ({ db, config }) => witnessStandings(db, config),
  timestamps: async ({ config }) => timestampStandings(config),
  clips: async ({ db }) => {
    const { states, quarantined } = await clipFigures(db);
    const figures =
      Object.entries(states)
        .map(([state, count]) => `${count} ${state}`)
        .join(", ") || "none";
    return quarantined.length === 0 ? ok(figures) : wrong(`${figures}. In quarantine: ${quarantined.join(", ")}`);
  },
  steps: async ({ db, config }) => overdueSteps(db, config.stepOverdueSeconds),
  "pdf font": async ({ config }) => {
    await readPdfFont(config.pdfFont);
    return ok(config.pdfFont);
  },
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

/** How far the witnesses came behind the newest checkpoint; what they refuse is an alarm, which has a line of its own. */
async function witnessStandings(db: Database, config: Config): Promise<Omit<Finding, "name">> {
  const witnesses = await witnessesOf(config);
  if (witnesses === undefined) return warning("none: nobody outside this installation sees that the log only grows");
  const { witnessedSize, standings } = await witnessFigures(db);
  const size = (await lastCheckpoint(db))?.size ?? 0;
  const each = witnesses.list.map(({ name, vkey }) => {
    const standing = standings.find((one) => one.vkey === vkey);
    return { name, size: standing?.size ?? 0, since: standing?.receivedAt };
  });
  const figures = [
    `witnessed (${witnesses.threshold} of ${witnesses.list.length}) up to size ${witnessedSize} of ${size}`,
    ...each.map((one) => `${one.name} ${one.size}${one.since === undefined ? "" : `, ${one.since}`}`),
  ].join("; ");
  return witnessedSize === size ? ok(figures) : warning(figures);
}

/** Asks every authority for a token, and says which gave one that passes. */
async function timestampStandings(config: Config): Promise<Omit<Finding, "name">> {
  const sources = await timestampAuthoritiesOf(config);
  const imprints = imprintsOf(randomBytes(32));
  const answers = await Promise.all(
    sources.map(async (source) => {
      const told = (gave: boolean, detail: string) => ({ gave, told: `${source.name}: ${detail}` });
      try {
        const { tokenDer, roots } = await source.stamp(imprints, AbortSignal.timeout(20_000));
        const { genTime, policy, signer, validUntil } = verifyTimestampToken(tokenDer, { imprint: imprints, roots });
        return told(true, `${genTime.toISOString()} from ${signer}, policy ${policy}, valid until ${day(validUntil)}`);
      } catch (error) {
        return told(false, error instanceof Error ? error.message : String(error));
      }
    }),
  );
  const figures = answers.map(({ told }) => told).join("; ");
  if (!answers.some(({ gave }) => gave)) return wrong(`${figures}. Clips stay \`hashed\` until one gives timestamps`);
  if (!answers.every(({ gave }) => gave)) return warning(figures);
  return sources.every(({ independent }) => independent)
    ? ok(figures)
    : warning(`${figures}. The built-in authority is not independent of whoever runs this machine`);
}

const day = (time: Date): string => time.toISOString().slice(0, 10);

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

/** When everything was read last, how the audits went, and how complete the replica is. */
async function fixity({ db, config, logger }: Platform): Promise<Omit<Finding, "name">> {
  const { oldestCheckAt, last, running, waitingSamples } = await auditFigures(db);
  const parts = [oldestCheckAt === null ? "nothing sealed yet" : `every clip was read since ${oldestCheckAt}`];
  parts.push(...running.map(({ kind, read, expected }) => `${kind} running: ${read} of ${expected}`));
  if (waitingSamples > 0)
    parts.push(`${waitingSamples} samples wait for a checkpoint that is timestamped or witnessed`);
  parts.push(...last.map(({ kind, state, finishedAt }) => `last ${kind} ${state} ${finishedAt}`));
  const replica = replicaOf(config, logger);
  const copies = replica === undefined ? undefined : await replicaFigures(db, replica.location);
  parts.push(
    copies === undefined ? "no replica: damage cannot be repaired" : `replica has ${copies.copied} of ${copies.sealed}`,
  );
  const detail = parts.join("; ");
  const late = oldestCheckAt !== null && Date.now() - Date.parse(oldestCheckAt) > config.auditDays * 86_400_000;
  if (late || last.some(({ state }) => state === "failed")) return wrong(detail);
  return copies !== undefined && copies.copied < copies.sealed ? warning(detail) : ok(detail);
}
