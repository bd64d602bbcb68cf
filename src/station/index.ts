export type { AgentOptions, StationLine } from "./agent.ts";
export { type CardFile, type Defaults, filesOf } from "./card-files.ts";
export { ProgressBar } from "./progress.ts";
export { type PushOptions, pushFiles } from "./push.ts";
export { type WatchOptions, watch } from "./watch.ts";
export type { WipePolicy } from "./wipe.ts";
