export { type Announcement, announceFile, announceFiles, announcementsOf } from "./announcements.ts";
export { deletableFiles, recordDeletion } from "./deletion.ts";
export { fileNumber, metadataOf, readFileRecord } from "./file-record.ts";
export { type HeartbeatLimits, recordHeartbeat, watchSilentStations } from "./heartbeats.ts";
export {
  type GatewayKey,
  type GatewayStation,
  issueGatewayKey,
  revokeGatewayKeys,
  stationOfGatewayKey,
} from "./keys.ts";
export { receiveAnnouncedFile } from "./receive-file.ts";
export { gatewayStandings, recorderReports, unitOf } from "./standing.ts";
export { recordRecorders, recordStationLog, recordsOf, stationLogKinds } from "./station-reports.ts";
export { defaultZone, wallTime } from "./zone.ts";
