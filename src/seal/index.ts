export { hashClip, type SealDependencies } from "./hash-clip.ts";
export { receiptOfClip } from "./receipt.ts";
export { timestampClip } from "./timestamp-clip.ts";
export { authorityAt, builtInAuthority, type TimestampSource } from "./timestamp-source.ts";
export { type StoredVerification, verifyStored } from "./verify-stored.ts";
