import { addresses, integer, objectIdentifier, oneOf, origin, text, url, urls } from "./readers.ts";

/** How one `DOCKSEAL_*` variable is read. `example` is what .env.example shows; no `fallback` means that it must be set. */
export interface Variable<T = unknown> {
  readonly about: string;
  readonly example: string;
  readonly fallback?: T;
  /** Gives the value, or throws an Error whose message completes the sentence "NAME …". */
  readonly read: (text: string) => T;
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
    about: "Connections to PostgreSQL of one process; the API takes one more, to listen.",
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
  DOCKSEAL_STATION_UPLOADS: variable({
    about: "Uploads that one station may have running at once in one process, so that none shuts out the others.",
    example: "64",
    fallback: 64,
    read: integer(1, 10_000),
  }),
  DOCKSEAL_RETENTION_DAYS: variable({
    about:
      "Days for which a clip is locked from its arrival on. 183 = the six months of the police rule of 2016, art. 13.",
    example: "183",
    fallback: 183,
    read: integer(1, 36525),
  }),
  DOCKSEAL_TSA_URL: variable<readonly string[] | undefined>({
    about:
      "RFC 3161 timestamp authorities in the order of preference, comma separated: the next one is asked where one fails. Without it the built-in one is used, which is marked as not independent.",
    example: "https://tsa.example/tsr,https://other.example/tsr",
    fallback: undefined,
    read: urls("http", "https"),
  }),
  DOCKSEAL_TSA_ROOTS_FILE: variable<string | undefined>({
    about: "PEM file with the root certificates of all authorities at DOCKSEAL_TSA_URL.",
    example: "/etc/dockseal/tsa-roots.pem",
    fallback: undefined,
    read: text,
  }),
  DOCKSEAL_TSA_POLICY: variable<string | undefined>({
    about: "Object identifier of the policy that timestamps from DOCKSEAL_TSA_URL must be issued under. Default: any.",
    example: "1.2.3.4.1",
    fallback: undefined,
    read: objectIdentifier,
  }),
  DOCKSEAL_TSA_IMPRINT: variable({
    about: "Digest that timestamps are taken over; authorities at DOCKSEAL_TSA_URL must know it.",
    example: "sha256",
    fallback: "sha256" as const,
    read: oneOf("sha256", "sm3"),
  }),
  DOCKSEAL_TSA_PROFILE: variable({
    about:
      "What keys the built-in timestamp authority makes, where it has none yet: ECDSA P-256, or RSA of 3072 bits for programs that know nothing else.",
    example: "ecdsa",
    fallback: "ecdsa" as const,
    read: oneOf("ecdsa", "rsa"),
  }),
  DOCKSEAL_TSA_RENEW_DAYS: variable({
    about:
      "Days before the end of its authority's certificate in which the timestamp of a clip is renewed: a new one is taken over it.",
    example: "90",
    fallback: 90,
    read: integer(1, 3650),
  }),
  DOCKSEAL_CHECKPOINT_ANCHOR_SECONDS: variable({
    about:
      "How often the newest checkpoint of the log is copied to the evidence store under lock, and timestamped, when the log has grown.",
    example: "300",
    fallback: 300,
    read: integer(1, 86400),
  }),
  DOCKSEAL_WITNESS_FILE: variable<string | undefined>({
    about:
      "JSON file with the witnesses that cosign the log's checkpoints, and how many of them make a receipt a witnessed one. Without it nobody outside sees that the log only grows.",
    example: "/etc/dockseal/witnesses.json",
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
  DOCKSEAL_UPLOAD_EXPIRES_SECONDS: variable({
    about:
      "A resumable upload that nobody continues for this long is over. Must be shorter than the time after which the store itself purges unfinished multipart uploads (MinIO: 24 hours).",
    example: "72000",
    fallback: 72_000,
    read: integer(2, 30 * 86_400),
  }),
  DOCKSEAL_AUDIT_DAYS: variable({
    about: "Everything that is stored is read again and compared within so many days.",
    example: "90",
    fallback: 90,
    read: integer(1, 3650),
  }),
  DOCKSEAL_AUDIT_SAMPLE: variable<number | undefined>({
    about: "Clips that are read in each day's random sample. Default: one in a hundred, but ten at least.",
    example: "10",
    fallback: undefined,
    read: integer(1, 1_000_000),
  }),
  DOCKSEAL_AUDIT_MIB_PER_SECOND: variable({
    about: "The audit of one worker process reads no faster than that, in MiB a second.",
    example: "32",
    fallback: 32,
    read: integer(1, 1_000_000),
  }),
  DOCKSEAL_REPLICA_URL: variable<string | undefined>({
    about:
      "A second evidence store, elsewhere: sealed originals are copied there, and damaged ones repaired from it. Form as DOCKSEAL_STORE_URL.",
    example: "s3://ACCESS:SECRET@replica.example:9000/dockseal-replica",
    fallback: undefined,
    read: url("s3", "file"),
  }),
  DOCKSEAL_EXPORT_CONCURRENCY: variable({
    about: "Exports that one worker process makes at once.",
    example: "1",
    fallback: 1,
    read: integer(1, 64),
  }),
  DOCKSEAL_EXPORT_DAYS: variable({
    about: "Days after which the bag of an export is removed from the store again.",
    example: "14",
    fallback: 14,
    read: integer(1, 3650),
  }),
  DOCKSEAL_PDF_FONT: variable({
    about: "TrueType font with Chinese letters, for the electronic-data list of an export.",
    example: "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    fallback: "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    read: text,
  }),
  DOCKSEAL_GATEWAY: variable({
    about:
      "`yes` opens `/v3/**` to stations already in the field (docs/gateway.md): their authentication is weak, a shared key in the query string.",
    example: "yes",
    fallback: "no" as const,
    read: oneOf("yes", "no"),
  }),
  DOCKSEAL_GATEWAY_REQUESTS_PER_MINUTE: variable({
    about:
      "Requests that one station may make in a minute through the gateway, and refused ones that one address may, at each process.",
    example: "600",
    fallback: 600,
    read: integer(1, 1_000_000),
  }),
  DOCKSEAL_GATEWAY_SILENT_SECONDS: variable({
    about: "A station that sent heartbeats and has been silent for so long is an alarm.",
    example: "900",
    fallback: 900,
    read: integer(1, 30 * 86400),
  }),
  DOCKSEAL_GATEWAY_LOW_SPACE_PERCENT: variable({
    about: "A station that says it has less of its space left than this is an alarm.",
    example: "10",
    fallback: 10,
    read: integer(0, 100),
  }),
  DOCKSEAL_GATEWAY_RAID_HEALTHY: variable<readonly string[]>({
    about:
      "Values of raid_zt that mean healthy disks, comma separated; every other one is an alarm. Makers differ: ask yours.",
    example: "101",
    fallback: ["101"],
    read: (value) =>
      text(value)
        .split(",")
        .map((part) => part.trim()),
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
