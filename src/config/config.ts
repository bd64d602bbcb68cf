import { DocksealError } from "#kernel";

/** How one `DOCKSEAL_*` variable is read. `example` is what .env.example shows; no `fallback` means that it must be set. */
export interface Variable<T = unknown> {
  readonly about: string;
  readonly example: string;
  readonly fallback?: T;
  /** Gives the value, or throws an Error whose message completes the sentence "NAME …". */
  readonly read: (text: string) => T;
}

function integer(minimum: number, maximum = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < minimum || value > maximum) {
      throw new Error(`must be a whole number from ${minimum} to ${maximum}, got ${JSON.stringify(text)}`);
    }
    return value;
  };
}

function oneOf<const T extends string>(...allowed: T[]) {
  return (text: string): T => {
    const found = allowed.find((value) => value === text);
    if (found === undefined) throw new Error(`must be one of ${allowed.join(", ")}, got ${JSON.stringify(text)}`);
    return found;
  };
}

/** A URL with one of the schemes. The message never repeats the value: it may hold a password. */
function url(...schemes: string[]) {
  return (text: string): string => {
    const parsed = URL.canParse(text) ? new URL(text) : undefined;
    if (parsed === undefined || !schemes.includes(parsed.protocol.replace(/:$/, ""))) {
      throw new Error(`must be a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(" or ")}`);
    }
    return text;
  };
}

function text(value: string): string {
  if (value.trim() === "") throw new Error("must not be empty");
  return value;
}

function addresses(value: string): string[] {
  const list = value.split(",").map((part) => part.trim());
  const bad = list.filter((part) => !/^[0-9a-fA-F.:]+(\/\d{1,3})?$/.test(part));
  if (bad.length > 0) throw new Error(`must be a list of addresses or networks, not ${bad.join(", ")}`);
  return list;
}

/** RFC 6962-style log name without blanks or plus signs, as C2SP signed-note wants it for a key name. */
function origin(value: string): string {
  if (!/^[^\s+]{1,200}$/u.test(value)) throw new Error("must be 1 to 200 characters without blanks and plus signs");
  return value;
}

const GiB = 1024 ** 3;
const MiB = 1024 ** 2;

function variable<T>(definition: Variable<T>): Variable<T> {
  return definition;
}

/** Every variable that dockseal knows: the one place where one is added. */
export const variables = {
  DOCKSEAL_DATABASE_URL: variable({
    about: "PostgreSQL 15 or later, as the application role (not the owner of the tables).",
    example: "postgres://dockseal:secret@127.0.0.1:5432/dockseal",
    read: url("postgres", "postgresql"),
  }),
  DOCKSEAL_OWNER_DATABASE_URL: variable<string | undefined>({
    about:
      "The same database as the role that owns the tables; only `dockseal migrate` uses it. Default: DOCKSEAL_DATABASE_URL.",
    example: "postgres://dockseal_owner:secret@127.0.0.1:5432/dockseal",
    fallback: undefined,
    read: url("postgres", "postgresql"),
  }),
  DOCKSEAL_DATABASE_POOL: variable({
    about: "Connections to PostgreSQL of one process.",
    example: "10",
    fallback: 10,
    read: integer(2, 1000),
  }),
  DOCKSEAL_QUEUE_URL: variable({
    about: "Where jobs wait: Redis (noeviction, appendonly) or PostgreSQL.",
    example: "redis://127.0.0.1:6379",
    read: url("redis", "rediss", "postgres", "postgresql"),
  }),
  DOCKSEAL_STORE_URL: variable({
    about: "The evidence store: S3 with Object Lock, or a directory.",
    example: "s3://ACCESS:SECRET@127.0.0.1:9000/dockseal?tls=0",
    read: url("s3", "file"),
  }),
  DOCKSEAL_KEYS_DIR: variable({
    about:
      "Directory (mode 0700) with the log's signing key and the built-in timestamp authority. Back it up apart from the database.",
    example: "/var/lib/dockseal/keys",
    read: text,
  }),
  DOCKSEAL_LOG_ORIGIN: variable({
    about:
      "Name of the custody log in checkpoints (C2SP tlog-checkpoint origin). Fixed once the log has its first entry.",
    example: "county.example/dockseal",
    fallback: "dockseal.local/log",
    read: origin,
  }),
  DOCKSEAL_HOST: variable({ about: "Address to listen on.", example: "127.0.0.1", fallback: "127.0.0.1", read: text }),
  DOCKSEAL_PORT: variable({
    about: "Port to listen on; 0 takes a free one.",
    example: "8080",
    fallback: 8080,
    read: integer(0, 65535),
  }),
  DOCKSEAL_TRUST_PROXY: variable<string[] | undefined>({
    about: "Addresses of reverse proxies whose X-Forwarded-* headers are believed, comma separated.",
    example: "127.0.0.1",
    fallback: undefined,
    read: addresses,
  }),
  DOCKSEAL_SECURE_COOKIES: variable({
    about: "`yes` marks the session cookie Secure: set it wherever people come by https.",
    example: "yes",
    fallback: "no" as const,
    read: oneOf("yes", "no"),
  }),
  DOCKSEAL_LOG_LEVEL: variable({
    about: "Least level that is logged.",
    example: "info",
    fallback: "info" as const,
    read: oneOf("fatal", "error", "warn", "info", "debug", "trace", "silent"),
  }),
  DOCKSEAL_MAX_CLIP_BYTES: variable({
    about: "Largest clip that is taken, in bytes.",
    example: String(64 * GiB),
    fallback: 64 * GiB,
    read: integer(1, 5 * 1024 * GiB),
  }),
  DOCKSEAL_UPLOAD_STALL_SECONDS: variable({
    about: "An upload that sends no byte for this long is ended.",
    example: "60",
    fallback: 60,
    read: integer(1, 3600),
  }),
  DOCKSEAL_UPLOAD_MEMORY_BYTES: variable({
    about: "Memory that all uploads of one process may hold together, in bytes; more uploads are answered with 503.",
    example: String(256 * MiB),
    fallback: 256 * MiB,
    read: integer(MiB),
  }),
  DOCKSEAL_RETENTION_DAYS: variable({
    about:
      "Days for which a clip is locked from its arrival on. 183 = the six months of the police rule of 2016, art. 13.",
    example: "183",
    fallback: 183,
    read: integer(1, 36525),
  }),
  DOCKSEAL_TSA_URL: variable<string | undefined>({
    about: "RFC 3161 timestamp authority. Without it the built-in one is used, which is marked as not independent.",
    example: "https://tsa.example/tsr",
    fallback: undefined,
    read: url("http", "https"),
  }),
  DOCKSEAL_TSA_ROOTS_FILE: variable<string | undefined>({
    about: "PEM file with the root certificates that the authority at DOCKSEAL_TSA_URL must lead to.",
    example: "/etc/dockseal/tsa-roots.pem",
    fallback: undefined,
    read: text,
  }),
  DOCKSEAL_SCRATCH_DIR: variable({
    about: "Directory for files while they are made playable; needs room for the largest clip and its copy.",
    example: "/var/tmp/dockseal",
    fallback: "/var/tmp/dockseal",
    read: text,
  }),
  DOCKSEAL_SANDBOX: variable({
    about: "`require`: ffmpeg runs only inside bubblewrap. `limits`: resource limits alone will do.",
    example: "require",
    fallback: "require" as const,
    read: oneOf("require", "limits"),
  }),
  DOCKSEAL_HASH_CONCURRENCY: variable({
    about: "Clips that one worker process reads back and hashes at once.",
    example: "2",
    fallback: 2,
    read: integer(1, 64),
  }),
  DOCKSEAL_TRANSCODE_CONCURRENCY: variable({
    about: "Clips that one worker process makes playable at once.",
    example: "1",
    fallback: 1,
    read: integer(1, 64),
  }),
  DOCKSEAL_TRANSCODE_MAX_SECONDS: variable({
    about: "Longest time one run of ffmpeg may take.",
    example: "14400",
    fallback: 14400,
    read: integer(10),
  }),
  DOCKSEAL_RECONCILE_SECONDS: variable({
    about: "How often clips whose next step is overdue, and uploads that were cut off, are looked for.",
    example: "30",
    fallback: 30,
    read: integer(1, 3600),
  }),
  DOCKSEAL_STEP_OVERDUE_SECONDS: variable({
    about: "A step not done this long after it was last queued is queued again.",
    example: "300",
    fallback: 300,
    read: integer(1, 86400),
  }),
  DOCKSEAL_UPLOAD_ABANDONED_SECONDS: variable({
    about: "An upload whose process gave no sign of life for this long is swept away.",
    example: "300",
    fallback: 300,
    read: integer(5, 86400),
  }),
  DOCKSEAL_SESSION_HOURS: variable({
    about: "How long a person stays signed in.",
    example: "12",
    fallback: 12,
    read: integer(1, 720),
  }),
  DOCKSEAL_SHUTDOWN_SECONDS: variable({
    about: "Time that running uploads and jobs get to finish after SIGTERM before they are ended cleanly.",
    example: "20",
    fallback: 20,
    read: integer(1, 600),
  }),
} as const;

type Name = keyof typeof variables;
type Camel<S extends string> = S extends `${infer A}_${infer B}`
  ? `${Lowercase<A>}${Capitalize<Camel<B>>}`
  : Lowercase<S>;
type Key<N extends Name> = N extends `DOCKSEAL_${infer Rest}` ? Camel<Rest> : never;

/** The whole configuration: `DOCKSEAL_MAX_CLIP_BYTES` is `maxClipBytes`, and so on. */
export type Config = { readonly [N in Name as Key<N>]: (typeof variables)[N] extends Variable<infer T> ? T : never };

function keyOf(name: string): string {
  return name
    .slice("DOCKSEAL_".length)
    .toLowerCase()
    .replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * Reads and checks a whole environment.
 * @throws DocksealError `configuration-invalid`, whose detail has one line for every bad, missing or unknown variable.
 */
export function parseConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  const config: Record<string, unknown> = {};
  for (const [name, definition] of Object.entries(variables) as [string, Variable][]) {
    const value = environment[name];
    if (value === undefined) {
      if (!("fallback" in definition))
        problems.push(`${name} is missing. ${definition.about} Example: ${definition.example}`);
      config[keyOf(name)] = definition.fallback;
      continue;
    }
    try {
      config[keyOf(name)] = definition.read(value);
    } catch (error) {
      problems.push(`${name} ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  for (const name of Object.keys(environment)) {
    // DOCKSEAL_TEST_* belongs to the test suite, which starts products with the environment that it runs in.
    if (name.startsWith("DOCKSEAL_") && !name.startsWith("DOCKSEAL_TEST_") && !(name in variables)) {
      problems.push(`${name} is unknown: check its spelling against .env.example`);
    }
  }
  if (problems.length > 0) {
    const head = problems.length === 1 ? "1 variable is wrong:" : `${problems.length} variables are wrong:`;
    throw new DocksealError("configuration-invalid", { detail: [head, ...problems].join("\n  ") });
  }
  return config as Config;
}

/** The only reader of the process's environment. */
export function configFromEnvironment(): Config {
  return parseConfig(process.env);
}
