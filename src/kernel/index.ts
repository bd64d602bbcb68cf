export { canonicalBytes, canonicalJson, type Json } from "./canonical-json.ts";
export { type Clock, systemClock } from "./clock.ts";
export { newId } from "./id.ts";
export { DocksealError, isProblem, type ProblemCode, type ProblemOptions, problems } from "./problems.ts";
