export { beginViewing, noteOriginalRead, requirePurpose } from "./viewing.ts";
