// The import law of the rooms: see docs/architecture.md. `npm run check` enforces it; test/unit/import-law.test.ts plants violations.
/** Rooms from the innermost to the outermost; a room imports from earlier lines only. */
const order = [
  ["kernel"],
  ["evidence", "config", "schema"],
  ["metadata"],
  ["db", "queue", "store", "witness"],
  ["custody", "identity"],
  ["ingest"],
  ["seal"],
  ["derive"],
  ["recordings"],
  ["cases"],
  ["review"],
  ["export"],
  ["audit"],
  ["gateway"],
  ["station"],
  ["http", "cli"],
];
const rooms = order.flat();
const forbidden = [];
order.forEach((line, position) => {
  const outer = order.slice(position + 1).flat();
  if (outer.length === 0) return;
  forbidden.push({
    name: `inward-only-${line.join("-")}`,
    comment: `Imports point inward: ${line.join(", ")} may not know ${outer.join(", ")}. Move the shared part inward, or send an outbox row.`,
    severity: "error",
    from: { path: `^src/(${line.join("|")})/` },
    to: { path: `^(src/(${outer.join("|")})/|workers/)` },
  });
});
module.exports = {
  forbidden: [
    ...forbidden,
    {
      name: "one-door-a-room",
      comment: "Another room is entered by its index.ts only (#room), so that its inside may change.",
      severity: "error",
      from: { path: "^src/([^/]+)/" },
      to: { path: `^src/(${rooms.join("|")})/.+`, pathNot: "^src/$1/|^src/[^/]+/index\\.ts$" },
    },
    {
      name: "one-door-from-outside",
      comment: "Workers, migrations and deploy enter rooms by index.ts only.",
      severity: "error",
      from: { path: "^(workers|deploy)/" },
      to: { path: "^src/[^/]+/.+", pathNot: "^src/[^/]+/index\\.ts$" },
    },
    {
      name: "pure-rooms-do-no-io",
      comment: "kernel, evidence and verify are pure: no files, sockets, processes or databases (design.md).",
      severity: "error",
      from: { path: "^src/(kernel|evidence|verify)/" },
      to: {
        path: "^(node:)?(fs|fs/promises|net|http|https|http2|tls|dgram|child_process|cluster|worker_threads)$|^node_modules/(pg|kysely|ioredis|bullmq|minio|fastify|pino)/",
      },
    },
    {
      name: "verify-stands-alone",
      comment: "Offline verification depends on kernel and evidence only: an auditor must not have to trust the rest.",
      severity: "error",
      from: { path: "^src/verify/" },
      to: { path: "^(src/(?!kernel/|evidence/|verify/)|workers/)" },
    },
    {
      name: "station-speaks-http",
      comment:
        "The station agent runs on the other side of the network: of the server it knows the form of metadata only.",
      severity: "error",
      from: { path: "^src/station/" },
      to: { path: "^(src/(?!kernel/|schema/|metadata/|evidence/|verify/|station/)|workers/)" },
    },
    {
      name: "the-page-verifies-alone",
      comment:
        "verify.html holds kernel, evidence and verify, and what stands for node:crypto: nothing else goes to a court.",
      severity: "error",
      from: { path: "^src/verify-page/" },
      to: {
        path: "^(src/(?!kernel/|evidence/|verify/|verify-page/)|workers/)|^src/(kernel|evidence|verify)/(?!index\\.ts$)",
      },
    },
    {
      name: "the-console-speaks-http",
      comment:
        "The console runs in a browser: it knows the API by its document, and verifies with what verify.html is made of.",
      severity: "error",
      from: { path: "^src/console/" },
      to: {
        path: "^(src/(?!kernel/|evidence/|verify/|verify-page/|console/)|workers/)|^src/(kernel|evidence|verify)/(?!index\\.ts$)",
      },
    },
    {
      name: "nobody-needs-the-console",
      comment: "The console is built into files of its own; nothing imports it.",
      severity: "error",
      from: { pathNot: "^src/console/" },
      to: { path: "^src/console/" },
    },
    {
      name: "fluent-ffmpeg-in-one-file",
      comment: "fluent-ffmpeg is archived upstream: only src/derive/ffmpeg-command.ts may import it.",
      severity: "error",
      from: { pathNot: "^src/derive/ffmpeg-command\\.ts$" },
      to: { path: "^node_modules/(@types/)?fluent-ffmpeg/" },
    },
    {
      name: "minio-in-the-store",
      comment: "The minio client belongs to the s3 adapter (and to the benchmarks and tests that compare with it).",
      severity: "error",
      from: { path: "^(src|workers)/", pathNot: "^src/store/" },
      to: { path: "^node_modules/minio/" },
    },
    {
      name: "no-cycles",
      comment: "A cycle hides which file depends on which.",
      severity: "error",
      from: { path: "^(src|workers)/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "production-needs-no-dev-dependency",
      comment:
        "What src, workers and migrations import must be under dependencies: `npm ci --omit=dev` builds product and console too.",
      severity: "error",
      from: { path: "^(src|workers|migrations)/" },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"], pathNot: "^node_modules/@types/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      conditionNames: ["import", "require", "node", "default", "types"],
      exportsFields: ["exports"],
    },
  },
};
