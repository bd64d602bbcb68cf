export { noteViewing, type Rendition } from "./viewing.ts";
