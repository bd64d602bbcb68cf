import t from "tap";
import { CHUNK_BYTES, encodeSealManifest, parseSealManifest, type SealManifest } from "#evidence";
import { canonicalBytes, type Json } from "#kernel";

const manifest: SealManifest = {
  v: 1,
  type: "dockseal/seal-manifest",
  clip: "0192f1a0-0000-7000-8000-000000000002",
  sizeBytes: CHUNK_BYTES + 1,
  sha256: "ab".repeat(32),
  sm3: "cd".repeat(32),
  chunkTree: { chunkBytes: CHUNK_BYTES, count: 2, root: "ef".repeat(32) },
  received: { at: "2026-11-22T00:15:00.000Z" },
  readBack: { at: "2026-11-22T00:15:01.000Z" },
  stored: {
    location: "s3://evidence",
    key: "2026/11/clip",
    versionId: "v-1",
    retention: { mode: "COMPLIANCE", until: "2027-05-22T00:15:00.000Z" },
  },
};

t.test("a seal manifest has one encoding and comes back as it went in", async (t) => {
  const bytes = encodeSealManifest(manifest);
  t.same(parseSealManifest(bytes), manifest);
  t.match(bytes.toString(), /^\{"chunkTree":\{"chunkBytes":4194304,"count":2,"root":"(ef){32}"\},"clip":"/);
  t.ok(encodeSealManifest(parseSealManifest(bytes)).equals(bytes));
});

t.test("a manifest that leaves something out, adds something or contradicts itself is refused", async (t) => {
  const { stored } = manifest;
  const bad: Record<string, unknown> = {
    "unknown member": { ...manifest, note: "x" },
    "missing member": { ...manifest, sm3: undefined },
    "other type": { ...manifest, type: "dockseal/other" },
    "negative size": { ...manifest, sizeBytes: -1 },
    "size as text": { ...manifest, sizeBytes: "1" },
    "size beyond 2^53": { ...manifest, sizeBytes: 2 ** 53 },
    "chunks that do not fit the size": { ...manifest, sizeBytes: CHUNK_BYTES },
    "other chunks": { ...manifest, chunkTree: { ...manifest.chunkTree, chunkBytes: 1024 } },
    "upper-case digest": { ...manifest, sha256: "AB".repeat(32) },
    "other mode": { ...manifest, stored: { ...stored, retention: { ...stored.retention, mode: "NONE" } } },
    "no version": { ...manifest, stored: { ...stored, versionId: "" } },
    "control character in a key": { ...manifest, stored: { ...stored, key: "a\nb" } },
    "key that is too long": { ...manifest, stored: { ...stored, key: "k".repeat(1025) } },
    "moment that is none": { ...manifest, received: { at: "yesterday" } },
  };
  const lone = { ...manifest, stored: { ...stored, key: "\ud800" } };
  t.throws(() => encodeSealManifest(lone), { code: "malformed-proof" }, "key that is no Unicode");
  for (const [why, value] of Object.entries(bad)) {
    t.throws(() => encodeSealManifest(value as SealManifest), { code: "malformed-proof" }, why);
    t.throws(() => parseSealManifest(canonicalBytes(value as Json)), { code: "malformed-proof" }, `${why}, as bytes`);
  }
});
