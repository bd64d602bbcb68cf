export { appendEvent, type CustodyEvent, type EventType } from "./append.ts";
export { type LogKey, logKeyIn, requireKeyOfLog, writeOnce } from "./log-key.ts";
export { type CustodyLine, custodyOfClip, type EventProof, eventProof, logFigures } from "./proofs.ts";
export { lastCheckpoint, runSequencer, sequenceBatch } from "./sequencer.ts";
