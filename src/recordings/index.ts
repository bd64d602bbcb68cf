export { analyse, type RecorderFacts } from "./analyse.ts";
export { type ClipFact, defaultLimits, type EntryFact, findingKinds, type Limits } from "./facts.ts";
export { acknowledgeFinding, findingStates, listFindings, openFindingCounts } from "./findings.ts";
export { analyseNext, followLog, keepAnalysing } from "./follow.ts";
export { limitsOf, limitsSchema, setLimits } from "./limits.ts";
export { type CardManifest, manifestDigest, manifestSchema, receiveManifest } from "./manifests.ts";
export { listRecorders, recorderPage } from "./recorders.ts";
export { listRecordings, recordingDetail, recordingOfClip } from "./recordings.ts";
