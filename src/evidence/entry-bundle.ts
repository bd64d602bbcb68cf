import { malformed } from "./refuse.ts";

/** Longest entry of a bundle: its length has two bytes (C2SP tlog-tiles, "Log entries"). */
const MAX_ENTRY_BYTES = 65_535;

/** Entry bundle: each entry after its length as a big-endian uint16. */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    entries.flatMap((entry) => {
      if (entry.length > MAX_ENTRY_BYTES) throw malformed("entry bundle: an entry is longer than 65535 bytes");
      const length = Buffer.alloc(2);
      length.writeUInt16BE(entry.length);
      return [length, entry];
    }),
  );
}

/** @throws DocksealError malformed-proof when it ends in the middle of an entry. */
export function parseEntryBundle(bundle: Uint8Array): Buffer[] {
  const bytes = Buffer.from(bundle.buffer, bundle.byteOffset, bundle.byteLength);
  const entries: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + 2 > bytes.length) throw malformed("entry bundle: it ends in the middle of a length");
    const end = at + 2 + bytes.readUInt16BE(at);
    if (end > bytes.length) throw malformed("entry bundle: it ends in the middle of an entry");
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return entries;
}
