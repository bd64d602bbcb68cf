export { type Alarm, clearAlarm, openAlarms, raiseAlarm } from "./alarms.ts";
export { type AnchorDependencies, anchorOnce, type CheckpointStamper, keepAnchoring } from "./anchors.ts";
export { appendEvent, type CustodyEvent, type EventType } from "./append.ts";
export { appendPublishedSeal } from "./append-seal.ts";
export {
  authorityStandings,
  type FixedCheckpoint,
  fixedCheckpoint,
  lastCheckpoint,
  logSize,
  type SignedHead,
} from "./checkpoints.ts";
export { publishedCheckpoint, type WitnessStanding, witnessFigures } from "./cosignatures.ts";
export {
  checkpointCovering,
  type EventFiles,
  eventFiles,
  eventsAbout,
  type ProvingCheckpoint,
  placesInLog,
} from "./event-files.ts";

export { type Finding, type Report, reportRefused } from "./finding.ts";
export { fsckLog } from "./fsck-log.ts";

export { replaceFile, writeOnce } from "./key-files.ts";
export { forgetRetired, retireLogKey, rotateLogKey } from "./key-rotation.ts";
export { currentVkeys, type KeyOfLog, keysOfLog, requireKeyOfLog } from "./keys-of-log.ts";
export { logGrew } from "./log-grew.ts";
export { type LogKey, logKeyIn } from "./log-key.ts";
export { type HeadFile, headFileIn } from "./outside-heads.ts";
export { type CustodyLine, custodyOfClip, type EventProof, eventProof, logFigures } from "./proofs.ts";
export { runSequencer, type SequencerOptions, sequenceBatch } from "./sequencer.ts";
export {
  bundleEntries,
  consistencyBetween,
  entriesBetween,
  eventIdAt,
  inclusionAt,
  indexOfLeaf,
  newestHead,
  type TimedHead,
  tileHashes,
} from "./serving.ts";
export { treeHeadKeyIn } from "./tree-head-key.ts";
export { parseWitnessFile, type Witness, type Witnesses } from "./witness-file.ts";
export { collectCosignatures } from "./witnesses.ts";
