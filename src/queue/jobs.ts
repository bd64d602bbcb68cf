import { type Static, Type } from "typebox";
import { Value } from "typebox/value";
import { DocksealError } from "#kernel";

const id = Type.String({ pattern: "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$" });
const common = {
  /** Raised when the meaning changes; a worker refuses what it does not know. */
  v: Type.Literal(1),
  /** Of the request that caused the job; goes into each log line about it. */
  traceId: Type.String({ minLength: 1, maxLength: 128 }),
};

/** Ids only: what a job is about stands in the database, and may have changed since the job was added. */
const AboutClip = Type.Object({ ...common, clipId: id }, { additionalProperties: false });
const AboutExport = Type.Object({ ...common, exportId: id }, { additionalProperties: false });

/** Every kind of job, with the payload it carries. */
const catalogue = {
  hash: AboutClip,
  timestamp: AboutClip,
  transcode: AboutClip,
  bind: AboutClip,
  export: AboutExport,
} as const;

export type JobName = keyof typeof catalogue;
export type JobPayload<N extends JobName = JobName> = Static<(typeof catalogue)[N]>;

interface JobOf<N extends JobName> {
  readonly name: N;
  readonly payload: JobPayload<N>;
  /**
   * `[A-Za-z0-9._-]`, not a number alone. A hint that saves work: while a job of this id waits or runs, another is not
   * added. It proves nothing; what is undone stands in the database.
   */
  readonly jobId: string;
}
export type Job<N extends JobName = JobName> = { [K in N]: JobOf<K> }[N];

export const jobNames = Object.keys(catalogue) as readonly JobName[];

export function isJobName(name: string): name is JobName {
  return Object.hasOwn(catalogue, name);
}

/**
 * Checks a payload, when a job is added and again when it is taken.
 * @throws DocksealError `internal`: a payload that does not fit is a fault of ours, never of a caller.
 */
export function parsePayload<N extends JobName>(name: N, payload: unknown): JobPayload<N> {
  if (!isJobName(name)) throw new DocksealError("internal", { detail: `there is no job ${JSON.stringify(name)}` });
  const schema: (typeof catalogue)[N] = catalogue[name];
  if (Value.Check(schema, payload)) return payload;
  const faults = Value.Errors(schema, payload).map((fault) => `${fault.instancePath || "payload"} ${fault.message}`);
  throw new DocksealError("internal", { detail: `payload of job ${name} does not fit: ${faults.join("; ")}` });
}
