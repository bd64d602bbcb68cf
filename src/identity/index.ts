export { createOrganization } from "./organizations.ts";
export { createPerson, endSession, type Person, peopleOf, personOfSession, signIn } from "./people.ts";
export {
  type Actor,
  actorName,
  type PersonActor,
  type Role,
  roles,
  type StationActor,
  type SystemActor,
} from "./roles.ts";
export {
  createStation,
  issueStationToken,
  knownRecorder,
  recorderForStation,
  revokeStationTokens,
  type Station,
  stationById,
  stationOfToken,
  stationsOf,
} from "./stations.ts";
