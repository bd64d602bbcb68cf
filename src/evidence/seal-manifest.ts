import { canonicalBytes } from "#kernel";
import { CHUNK_BYTES } from "./digests.ts";
import { malformed } from "./refuse.ts";
import {
  count,
  exactMembers,
  hex32,
  instant,
  literal,
  parseCanonical,
  shortText,
  textMatching,
  uuid,
} from "./strict-json.ts";

/**
 * What was sealed: identity and digests of a clip as it lies in the store, read back from there. Its canonical JSON
 * bytes (RFC 8785) are what the timestamp is taken over and what the log entry commits to.
 */
export interface SealManifest {
  readonly v: 1;
  readonly type: "dockseal/seal-manifest";
  /** UUID of the clip. */
  readonly clip: string;
  readonly sizeBytes: number;
  /** Hex. */
  readonly sha256: string;
  readonly sm3: string;
  /** RFC 6962 tree over the chunks; `root` hex. See ContentDigests. */
  readonly chunkTree: { readonly chunkBytes: 4194304; readonly count: number; readonly root: string };
  /** When the last byte had come in, RFC 3339 UTC with milliseconds. */
  readonly received: { readonly at: string };
  /** When the stored object had been read back whole. */
  readonly readBack: { readonly at: string };
  readonly stored: {
    /** The store, e.g. `s3://evidence`. */
    readonly location: string;
    readonly key: string;
    readonly versionId: string;
    readonly retention: { readonly mode: "COMPLIANCE" | "GOVERNANCE"; readonly until: string };
  };
}

const MEMBERS = ["chunkTree", "clip", "readBack", "received", "sha256", "sizeBytes", "sm3", "stored", "type", "v"];

/** @throws DocksealError malformed-proof when a member is not of its form. */
export function encodeSealManifest(manifest: SealManifest): Buffer {
  return canonicalBytes({ ...manifestOf(manifest) });
}

/** Strict: exactly these members, each of its form, in exactly the canonical bytes. */
export function parseSealManifest(bytes: Uint8Array): SealManifest {
  return manifestOf(parseCanonical(bytes, "seal manifest"));
}

function manifestOf(value: unknown): SealManifest {
  const at = (name: string): string => `seal manifest: \`${name}\``;
  const manifest = exactMembers(value, MEMBERS, "seal manifest");
  const sizeBytes = count(manifest["sizeBytes"], at("sizeBytes"));
  const tree = exactMembers(manifest["chunkTree"], ["chunkBytes", "count", "root"], at("chunkTree"));
  const received = exactMembers(manifest["received"], ["at"], at("received"));
  const readBack = exactMembers(manifest["readBack"], ["at"], at("readBack"));
  const stored = exactMembers(manifest["stored"], ["key", "location", "retention", "versionId"], at("stored"));
  const retention = exactMembers(stored["retention"], ["mode", "until"], at("retention"));
  const chunks = count(tree["count"], at("count"));
  if (chunks !== Math.ceil(sizeBytes / CHUNK_BYTES)) throw malformed(`${at("count")} does not fit the size`);
  return {
    v: literal(manifest["v"], 1, at("v")),
    type: literal(manifest["type"], "dockseal/seal-manifest", at("type")),
    clip: uuid(manifest["clip"], at("clip")),
    sizeBytes,
    sha256: hex32(manifest["sha256"], at("sha256")),
    sm3: hex32(manifest["sm3"], at("sm3")),
    chunkTree: {
      chunkBytes: literal(tree["chunkBytes"], CHUNK_BYTES, at("chunkBytes")),
      count: chunks,
      root: hex32(tree["root"], at("root")),
    },
    received: { at: instant(received["at"], at("received")) },
    readBack: { at: instant(readBack["at"], at("readBack")) },
    stored: {
      location: shortText(stored["location"], 1024, at("location")),
      key: shortText(stored["key"], 1024, at("key")),
      versionId: shortText(stored["versionId"], 1024, at("versionId")),
      retention: {
        mode: textMatching(retention["mode"], /^(COMPLIANCE|GOVERNANCE)$/, at("mode")) as "COMPLIANCE" | "GOVERNANCE",
        until: instant(retention["until"], at("until")),
      },
    },
  };
}
