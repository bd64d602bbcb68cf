export { canonicalBytes, canonicalJson, type Json } from "./canonical-json.ts";
export { type Clock, systemClock } from "./clock.ts";
export { freeBuffer } from "./free-buffer.ts";
export { newId } from "./id.ts";
export { pause } from "./pause.ts";
export { DocksealError, isProblem, type ProblemCode, type ProblemOptions, problems } from "./problems.ts";
