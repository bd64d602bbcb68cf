import Type, { type Static } from "typebox";
import { auditFigures } from "#audit";
import { casesOpenedBy } from "#cases";
import { authorityStandings, logFigures, newestHead, openAlarms, witnessFigures } from "#custody";
import { pendingFigures, speakingDatabase } from "#db";
import { gatewayStandings } from "#gateway";
import { type PersonActor, type Role, stationsOf } from "#identity";
import { clipStates, countUnbound, lastArrivals } from "#ingest";
import { openFindingCounts } from "#recordings";
import { everyone, personOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, caseFile, nullable, problem, station, strict } from "../../schemas.ts";
import { answering, part, writeOnceOf } from "./health.ts";

const count = Type.Integer({ minimum: 0 });
const instant = Type.String({ description: "RFC 3339, UTC" });

const ofHandler = Type.Object({
  unboundClips: Type.Integer({ minimum: 0, description: "Clips that wait for a case" }),
  newestCases: Type.Array(caseFile, { description: "The newest five that you opened" }),
});
const ofSupervisor = Type.Object({
  clipStates: Type.Record(Type.String(), count, { description: "Clips by state" }),
  openFindings: Type.Record(Type.String(), count, { description: "Open findings by kind" }),
});
const ofAuditor = Type.Object({
  log: Type.Object({
    entries: count,
    waiting: Type.Integer({ minimum: 0, description: "Events that have no place in the log yet" }),
    checkpoint: nullable(Type.Object({ size: count, signedAt: instant })),
    witnessedSize: Type.Integer({ minimum: 0, description: "0: no checkpoint has enough cosignatures" }),
    witnesses: Type.Array(Type.Object({ name: Type.String(), size: count, receivedAt: instant })),
  }),
  timestamps: Type.Object({
    authorities: Type.Array(
      Type.Object({ authority: Type.String(), independent: Type.Boolean(), lastTokenAt: instant }),
      { description: "That timestamped checkpoints, the one that did so last first" },
    ),
    waitingClips: count,
    lastError: nullable(Type.String({ description: "Why a clip that waits has no timestamp" })),
  }),
  fixity: Type.Object({
    oldestCheckAt: nullable(Type.String({ description: "Since when every clip was read" })),
    faults: Type.Record(Type.String(), count, { description: "Findings of all time that were not intact" }),
    running: Type.Array(Type.Object({ kind: Type.String(), read: count, expected: count })),
    waitingSamples: count,
    last: Type.Array(Type.Object({ kind: Type.String(), state: Type.String(), finishedAt: instant })),
    repairs: count,
  }),
  openAlarms: count,
});
const ofAdministrator = Type.Object({
  stations: Type.Array(
    Type.Intersect([
      station,
      Type.Object({
        lastHeardAt: nullable(
          Type.String({ description: "Newest clip, beginning of a resumable upload, or heartbeat (RFC 3339, UTC)" }),
        ),
      }),
    ]),
  ),
  work: Type.Array(
    Type.Object({
      step: Type.String({ enum: ["bind", "hash", "timestamp", "transcode"] }),
      count,
      failedCount: Type.Integer({ minimum: 0, description: "Of these, those that were tried and failed" }),
      oldestSince: instant,
      lastError: nullable(Type.String()),
    }),
    { description: "Steps that wait for workers, as the database knows them; none waits of a step that is left out" },
  ),
  store: Type.Object({
    kind: Type.String({ enum: ["s3", "filesystem"] }),
    location: Type.String(),
    answers: part,
    writeOnce: part,
    space: nullable(
      Type.Object(
        { freeBytes: count, totalBytes: count },
        { description: "Of the disk that a directory is on; null for S3, and while the store does not answer" },
      ),
    ),
  }),
});

export function overviewRoute(app: App, deps: HttpDependencies): void {
  app.get(
    "/api/v1/overview",
    {
      config: { access: everyone, operation: "overview.read" },
      schema: {
        summary: "Figures for the first page, by role",
        description:
          "One member, named for your role. Clips, cases, findings and stations are those of your organization; log, timestamps, audits, alarms, work and store are those of the whole installation.",
        tags: ["operation"],
        security: asPerson,
        querystring: Type.Object({}, strict),
        response: {
          200: Type.Partial(
            Type.Object({
              handler: ofHandler,
              supervisor: ofSupervisor,
              auditor: ofAuditor,
              administrator: ofAdministrator,
            }),
          ),
          default: problem,
        },
      },
    },
    async (request) => {
      const person = personOf(request);
      return { [person.role]: await speakingDatabase(() => figuresOf[person.role](deps, person)) };
    },
  );
}

const figuresOf: Readonly<Record<Role, (deps: HttpDependencies, person: PersonActor) => Promise<object>>> = {
  handler: forHandler,
  supervisor: forSupervisor,
  auditor: forAuditor,
  administrator: forAdministrator,
};

async function forHandler({ db }: HttpDependencies, person: PersonActor): Promise<Static<typeof ofHandler>> {
  const [unboundClips, newestCases] = await Promise.all([
    countUnbound(db, person.organizationId),
    casesOpenedBy(db, person, 5),
  ]);
  return { unboundClips, newestCases };
}

async function forSupervisor(
  { db }: HttpDependencies,
  { organizationId }: PersonActor,
): Promise<Static<typeof ofSupervisor>> {
  const [states, openFindings] = await Promise.all([
    clipStates(db, organizationId),
    openFindingCounts(db, organizationId),
  ]);
  return { clipStates: { received: 0, hashed: 0, sealed: 0, quarantined: 0, ...states }, openFindings };
}

async function forAuditor({ db }: HttpDependencies): Promise<Static<typeof ofAuditor>> {
  const [figures, head, witnesses, authorities, pending, fixity, alarms] = await Promise.all([
    logFigures(db),
    newestHead(db),
    witnessFigures(db),
    authorityStandings(db),
    pendingFigures(db),
    auditFigures(db),
    openAlarms(db),
  ]);
  const stamping = pending.find(({ step }) => step === "timestamp");
  return {
    log: {
      entries: figures.entries,
      waiting: figures.waiting,
      checkpoint: head === undefined ? null : { size: head.size, signedAt: head.signedAt.toISOString() },
      witnessedSize: witnesses.witnessedSize,
      witnesses: witnesses.standings.map(({ name, size, receivedAt }) => ({ name, size, receivedAt })),
    },
    timestamps: { authorities, waitingClips: stamping?.count ?? 0, lastError: stamping?.lastError ?? null },
    fixity: { ...fixity, running: [...fixity.running], last: [...fixity.last] },
    openAlarms: alarms.length,
  };
}

async function forAdministrator(
  deps: HttpDependencies,
  { organizationId }: PersonActor,
): Promise<Static<typeof ofAdministrator>> {
  const { db, store } = deps;
  const stations = await stationsOf(db, organizationId);
  const ids = stations.map(({ id }) => id);
  const [arrivals, standings, work, answers] = await Promise.all([
    lastArrivals(db, ids),
    gatewayStandings(db, ids),
    pendingFigures(db),
    answering(store.ping(), store.kind),
  ]);
  const space = answers.ok ? await store.space() : undefined;
  return {
    stations: stations.map((each) => {
      const heard = [arrivals.get(each.id), standings.get(each.id)?.lastSeenAt].filter((at) => typeof at === "string");
      const newest = heard.sort((a, b) => Date.parse(a) - Date.parse(b)).at(-1);
      return { ...each, lastHeardAt: newest ?? null };
    }),
    work,
    store: {
      ...{ kind: store.kind, location: store.location, answers },
      ...{ writeOnce: writeOnceOf(deps), space: space ?? null },
    },
  };
}
