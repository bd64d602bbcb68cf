export { alarmsOf, buildWitness, headsOf } from "./app.ts";
export { WitnessMemory } from "./memory.ts";
export { parseTrustedLogs } from "./policy.ts";
