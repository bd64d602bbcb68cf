export { createOrganization, ensureOrganization, organizationName } from "./organizations.ts";
export {
  createPerson,
  displayNames,
  endSession,
  ensurePerson,
  namesOfActors,
  type Person,
  peopleOf,
  personOfSession,
  sessionsThatHold,
  signIn,
} from "./people.ts";
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
  ensureStation,
  issueStationToken,
  knownRecorder,
  recorderForStation,
  revokeStationTokens,
  type Station,
  stationById,
  stationOfToken,
  stationsOf,
} from "./stations.ts";
