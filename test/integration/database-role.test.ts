import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import t, { type Test } from "tap";
import { type Database, migrate, openDatabase } from "#db";
import { newId } from "#kernel";
import { testDatabase } from "../support/postgres.ts";
import { appRoleUrl } from "../support/stack.ts";

const hex = (bytes: number) => randomBytes(bytes).toString("hex");

/** Tables of which nothing is ever changed or removed. */
const appendOnly = [
  "custody_event",
  "log_entry",
  "log_checkpoint",
  "log_checkpoint_timestamp",
  "seal_manifest",
  "seal_timestamp",
  "timestamp_renewal",
  "seal_key",
  "timestamp_chain",
  "seal_bundle",
  "binding",
  "derivative",
  "viewing",
  "export_fetch",
  "clip_repair",
  "replica_copy",
  "fixity_item",
  "source_wipe",
  "recorder_manifest",
  "recorder_manifest_entry",
  "recording_limits",
  "finding_acknowledgement",
  "gateway_record",
  "gateway_wipe",
  "station_log",
  "station_log_record",
];

function opened(t: Test, url: string): Database {
  const db = openDatabase({ url, pool: 2, onConnectionError: (error) => t.comment(error.message) });
  t.teardown(() => db.destroy());
  return db;
}

/** Rows of what stations say through the gateway. */
async function gatewayRows(app: Database, { stationId, eventId }: { stationId: string; eventId: string }) {
  const announcementId = newId();
  const announced = { recorderSerial: "r", capturedAtRaw: "c", sizeBytes: 1 };
  await app
    .insertInto("gatewayAnnouncement")
    .values({ id: announcementId, stationId, fileNumber: "n", ...announced })
    .execute();
  await app
    .insertInto("gatewayRecord")
    .values({ announcementId, revision: 1, record: "{}", sha256: hex(32) })
    .execute();
  await app.insertInto("gatewayWipe").values({ stationId, fileNumber: "n", withReceipt: false, eventId }).execute();
  const logId = newId();
  await app
    .insertInto("stationLog")
    .values({ id: logId, stationId, kind: "gpslog", recordCount: 1, sha256: hex(32), eventId })
    .execute();
  await app.insertInto("stationLogRecord").values({ logId, position: 0, record: "{}" }).execute();
}

/** One row in every table, made as the application does: what it may insert is part of what is tested. */
async function oneOfEach(app: Database): Promise<{ clipId: string }> {
  const ids = Object.fromEntries(
    ["org", "station", "recorder", "person", "session", "clip", "file", "event"].map((name) => [name, newId()]),
  ) as Record<string, string>;
  const id = (name: string) => ids[name] ?? "";
  await app
    .insertInto("organization")
    .values({ id: id("org"), name: "o" })
    .execute();
  const ofOrganization = { organizationId: id("org") };
  await app
    .insertInto("station")
    .values({ id: id("station"), ...ofOrganization, number: "1", name: "s" })
    .execute();
  await app
    .insertInto("recorder")
    .values({ id: id("recorder"), ...ofOrganization, serial: "r" })
    .execute();
  const person = { id: id("person"), ...ofOrganization, signInName: "p", displayName: "p", role: "handler" };
  await app
    .insertInto("person")
    .values({ ...person, passwordHash: "h" })
    .execute();
  const session = { id: id("session"), personId: id("person"), tokenHash: randomBytes(32), csrfToken: "c" };
  await app
    .insertInto("session")
    .values({ ...session, expiresAt: "2030-01-01T00:00:00Z" })
    .execute();
  await app
    .insertInto("clip")
    .values({
      ...{ id: id("clip"), ...ofOrganization, stationId: id("station"), recorderId: id("recorder") },
      ...{ state: "received", kind: "video", fileName: "f", sizeBytes: 5, sha256: hex(32), objectKey: "k" },
      ...{ versionId: "v", metadata: "{}", collectorNumber: "c", capturedAtRaw: "now" },
    })
    .execute();
  const ofClip = { clipId: id("clip") };
  await app
    .insertInto("sealManifest")
    .values({ ...ofClip, manifest: randomBytes(8) })
    .execute();
  const token = { ...ofClip, token: randomBytes(8), generatedAt: "2026-01-01T00:00:00Z", authority: "a" };
  await app
    .insertInto("sealTimestamp")
    .values({ ...token, independent: false, roots: [], eventId: id("event") })
    .execute();
  await app
    .insertInto("timestampRenewal")
    .values({ ...token, generation: 1, independent: false, roots: [], eventId: id("event") })
    .execute();
  await app
    .insertInto("derivative")
    .values({
      ...{ id: newId(), ...ofClip, role: "poster", objectKey: "d", versionId: "v", mediaType: "m", sizeBytes: 1 },
      ...{ sha256: hex(32), originalSha256: hex(32), facts: "{}", tool: "t", toolVersion: "1", arguments: "[]" },
      sandboxLevel: "limits",
    })
    .execute();
  await app
    .insertInto("viewing")
    .values({ id: newId(), ...ofClip, sessionId: id("session"), personId: id("person"), rendition: "original" })
    .execute();
  await app
    .insertInto("caseFile")
    .values({ id: id("file"), ...ofOrganization, number: "1" })
    .execute();
  const exportId = newId();
  await app
    .insertInto("export")
    .values({
      ...{ id: exportId, ...ofOrganization, caseId: id("file"), requestedBy: id("person"), state: "done", name: "n" },
      ...{ objectKey: "e", versionId: "v", sizeBytes: 1, sha256: hex(32), tagManifestSha256: hex(32) },
      finishedAt: "2026-01-01T00:00:00Z",
    })
    .execute();
  await app
    .insertInto("exportFetch")
    .values({ id: newId(), exportId, sessionId: id("session"), personId: id("person") })
    .execute();
  await app
    .insertInto("binding")
    .values({
      ...{ id: newId(), revision: 1, ...ofClip, caseId: id("file"), capturedAt: "c", capturePlace: "p" },
      ...{ collectorNumber: "c", evidencePurpose: "e", madeBy: "m" },
    })
    .execute();
  await app
    .insertInto("custodyEvent")
    .values({
      ...{ id: id("event"), type: "clip.received", at: "2026-01-01T00:00:00Z", actor: "a", details: "{}" },
      ...{ salt: hex(32), leaf: randomBytes(8) },
    })
    .execute();
  const eventId = id("event");
  await app
    .insertInto("clipRepair")
    .values({ ...ofClip, generation: 1, objectKey: "r", versionId: "v", copiedFrom: "l", reason: "r", eventId })
    .execute();
  await app
    .insertInto("replicaCopy")
    .values({ ...ofClip, location: "l", objectKey: "c", versionId: "v", eventId })
    .execute();
  await app
    .insertInto("sourceWipe")
    .values({ ...ofClip, stationId: id("station"), fileName: "f", wipedAt: "2026-01-01T00:00:00Z", eventId })
    .execute();
  await gatewayRows(app, { stationId: id("station"), eventId });
  await app
    .insertInto("fixityRun")
    .values({ id: eventId, kind: "manual", state: "running", dueAt: "2030-01-01T00:00:00Z" })
    .execute();
  await app
    .insertInto("fixityItem")
    .values({ runId: eventId, objectId: eventId, ...ofClip, role: "original", outcome: "intact", eventId })
    .execute();
  const manifest = { id: newId(), recorderId: id("recorder"), ...ofOrganization };
  await app
    .insertInto("recorderManifest")
    .values({
      ...{ ...manifest, stationId: id("station"), digest: hex(32), manifest: "{}", entryCount: 0 },
      readAt: "2026-01-01T00:00:00Z",
    })
    .execute();
  await app
    .insertInto("recorderManifestEntry")
    .values({ recorderId: id("recorder"), entryDigest: hex(32), manifestId: manifest.id, entry: "{}" })
    .execute();
  await app
    .insertInto("recordingLimits")
    .values({ ...ofOrganization, revision: 1, limits: "{}", setBy: id("person") })
    .execute();
  const finding = { id: newId(), recorderId: id("recorder"), ...ofOrganization };
  await app
    .insertInto("recorderFinding")
    .values({ ...finding, kind: "overlap", subject: "clip x", detail: "d", evidence: "{}" })
    .execute();
  await app
    .insertInto("findingAcknowledgement")
    .values({ eventId, findingId: finding.id, personId: id("person"), reason: "r" })
    .execute();
  await app.insertInto("sealKey").values({ hint: "h", publicPem: "p" }).execute();
  await app
    .insertInto("timestampChain")
    .values({ id: hex(32), certificates: ["c"] })
    .returning("id")
    .executeTakeFirstOrThrow()
    .then(({ id: chainId }) =>
      app
        .insertInto("sealBundle")
        .values({
          ...{ ...ofClip, signature: randomBytes(8), keyHint: "h", token: randomBytes(8), chainId },
          ...{ generatedAt: "2026-01-01T00:00:00Z", eventId: id("event") },
        })
        .execute(),
    );
  await app
    .insertInto("logEntry")
    .values({ index: 0, eventId: id("event"), leafHash: randomBytes(32) })
    .execute();
  await app
    .insertInto("logTile")
    .values({ level: 0, index: 0, hashes: Buffer.alloc(64, 1) })
    .execute();
  await app
    .insertInto("logCheckpoint")
    .values({ size: 1, root: randomBytes(32), note: "n" })
    .execute();
  await app
    .insertInto("logCheckpointTimestamp")
    .values({
      size: 1,
      token: randomBytes(8),
      generatedAt: "2026-01-01T00:00:00Z",
      authority: "a",
      independent: false,
      roots: [],
    })
    .execute();
  await app.insertInto("logCheckpointCopy").values({ size: 1, part: "note", objectKey: "c", versionId: "v" }).execute();
  await app.insertInto("logKey").values({ id: newId(), vkey: "name+key id+key" }).execute();
  return { clipId: id("clip") };
}

t.test("what is evidence is never rewritten, by the application or by the owner of the tables", async (t) => {
  const { url } = await testDatabase(t);
  const owner = opened(t, url);
  await migrate(owner);
  const app = opened(t, await appRoleUrl(owner, url));
  const { clipId } = await oneOfEach(app);
  const refused = (db: Database, statement: string, what: string) =>
    t.rejects(sql.raw(statement).execute(db), { code: "42501" }, what); // insufficient_privilege

  const roles = [
    ["application", app],
    ["owner", owner],
  ] as const;
  for (const [who, db] of roles) {
    for (const table of appendOnly) {
      const columns = await sql<{ name: string }>`SELECT column_name AS name FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = ${table} ORDER BY ordinal_position`.execute(owner);
      t.ok(columns.rows.length > 0, `${table} exists`);
      for (const { name } of columns.rows) {
        await refused(db, `UPDATE ${table} SET "${name}" = "${name}"`, `${who}: UPDATE ${table} SET ${name}`);
      }
      await refused(db, `DELETE FROM ${table}`, `${who}: DELETE FROM ${table}`);
      await refused(db, `TRUNCATE ${table} CASCADE`, `${who}: TRUNCATE ${table}`);
    }
    const outcome = ["state = 'pending'", `sha256 = '${hex(32)}'`, `tag_manifest_sha256 = '${hex(32)}'`, "name = 'x'"];
    for (const change of [...outcome, "object_key = 'x'", "requested_at = now()", "case_id = NULL"]) {
      await refused(db, `UPDATE export SET ${change}`, `${who}: UPDATE export SET ${change}`);
    }
    await refused(db, "DELETE FROM export", `${who}: DELETE FROM export`);
    const identity: [column: string, value: string][] = [
      ["id", `'${newId()}'`],
      ["organization_id", `'${newId()}'`],
      ["station_id", `'${newId()}'`],
      ["recorder_id", `'${newId()}'`],
      ["size_bytes", "6"],
      ["sha256", `'${hex(32)}'`],
      ["object_key", "'other'"],
      ["version_id", "'other'"],
      ["metadata", `'{"a":1}'`],
      ["received_at", "now()"],
      ["file_name", "'other'"],
    ];
    for (const [column, value] of identity) {
      await refused(db, `UPDATE clip SET ${column} = ${value}`, `${who}: another ${column} of a clip`);
    }
    await refused(db, "DELETE FROM clip", `${who}: a clip is not removed`);
    await refused(db, "TRUNCATE clip CASCADE", `${who}: nor are all`);

    await refused(db, `UPDATE log_tile SET hashes = '\\x${hex(64)}'`, `${who}: a tile is not rewritten`);
    await refused(db, "UPDATE log_tile SET hashes = substring(hashes FOR 32)", `${who}: a tile does not shrink`);
    await refused(db, "UPDATE log_tile SET index = 7", `${who}: a tile is not moved`);
    await refused(db, "DELETE FROM log_tile", `${who}: a tile is not removed`);
    await refused(db, "TRUNCATE log_tile", `${who}: nor are all`);
    for (const table of ["log_key", "log_checkpoint_copy"])
      await refused(db, `DELETE FROM ${table}`, `${who}: ${table}`);
    await refused(db, "UPDATE log_key SET vkey = 'other+key id+key'", `${who}: a key of the log is not exchanged`);
    await refused(db, "UPDATE log_checkpoint_copy SET version_id = 'w'", `${who}: nor where a copy lies`);
    await sql`UPDATE log_tile SET hashes = hashes || ${randomBytes(32)}::bytea`.execute(db);
  }
  const { rows: grown } = await sql<{ length: number; start: Buffer }>`
    SELECT length(hashes) AS length, substring(hashes FOR 64) AS start FROM log_tile`.execute(app);
  t.same(grown, [{ length: 128, start: Buffer.alloc(64, 1) }], "a tile grows to the right");

  await sql`UPDATE log_key SET retired_at = clock_timestamp()`.execute(app);
  for (const [who, db] of roles) {
    await refused(db, "UPDATE log_key SET retired_at = NULL", `${who}: a retired key does not come back`);
  }
  const facts = { sm3: hex(32), chunkRoot: hex(32), state: "hashed" };
  await app.updateTable("clip").set(facts).where("id", "=", clipId).execute();
  for (const [who, db] of roles) {
    await refused(db, `UPDATE clip SET sm3 = '${hex(32)}'`, `${who}: digests that were found stay`);
    await refused(db, "UPDATE clip SET chunk_root = NULL", `${who}: and are not taken away`);
  }
  await refused(app, "UPDATE clip SET bound = false", "the application does not say whether a clip is bound");
  await app.updateTable("clip").set({ state: "sealed" }).where("id", "=", clipId).execute();
  t.match(
    await app.selectFrom("clip").selectAll().executeTakeFirst(),
    { ...facts, state: "sealed", sizeBytes: 5, bound: true },
    "how far a clip got is told",
  );
});

t.test("the application's role owns nothing and can make nothing", async (t) => {
  const { url } = await testDatabase(t);
  const owner = opened(t, url);
  await migrate(owner);
  const app = opened(t, await appRoleUrl(owner, url));
  const refusals = [
    "CREATE TABLE mine (a int)",
    "CREATE SCHEMA mine",
    "DROP TABLE custody_event",
    "ALTER TABLE custody_event DISABLE TRIGGER ALL",
    "DROP TRIGGER append_only ON custody_event",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "SET session_replication_role = replica",
    "CREATE ROLE somebody",
    "GRANT DELETE ON custody_event TO dockseal_app",
    "UPDATE kysely_migration SET name = name",
    "UPDATE organization SET name = 'x'",
    "DELETE FROM organization",
    "UPDATE session SET person_id = person_id",
    "UPDATE station_token SET token_hash = token_hash",
    "UPDATE person SET organization_id = organization_id",
    "UPDATE case_file SET number = number",
    "DELETE FROM case_file",
    "COPY custody_event TO PROGRAM 'cat'",
  ];
  for (const statement of refusals) {
    // GRANT by one who may not only warns; the privilege is looked at below.
    const attempt = sql.raw(statement).execute(app);
    if (statement.startsWith("GRANT"))
      await attempt.catch((error: Error) => t.match(error, { code: "42501" }, statement));
    else await t.rejects(attempt, { code: "42501" }, statement);
  }
  const { rows } = await sql<{ mine: number; may: boolean }>`
    SELECT (SELECT count(*)::int FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)) AS mine,
      has_table_privilege('custody_event', 'DELETE, UPDATE, TRUNCATE, TRIGGER, REFERENCES') AS may`.execute(app);
  t.same(rows, [{ mine: 0, may: false }]);
});
