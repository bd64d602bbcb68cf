import { createHash } from "node:crypto";
import fc from "fast-check";
import t from "tap";
import { CHUNK_BYTES, ContentDigests, leafHash, Sha256Counter } from "#evidence";
import { naiveRoot } from "../../support/naive-merkle.ts";

const hex = (algorithm: string, bytes: Uint8Array): string => createHash(algorithm).update(bytes).digest("hex");

function digest(bytes: Uint8Array, cuts: readonly number[]) {
  const digests = new ContentDigests();
  let at = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    digests.update(bytes.subarray(at, cut));
    at = cut;
  }
  digests.update(bytes.subarray(at));
  return digests.finish();
}

t.test("digests do not depend on how a stream is cut", async (t) => {
  const bytes = Buffer.alloc(2 * CHUNK_BYTES + 12_345);
  for (let at = 0; at < bytes.length; at += 4099) bytes[at] = at % 251;
  const chunks = [0, 1, 2].map((n) => bytes.subarray(n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES));
  const expected = {
    sizeBytes: bytes.length,
    sha256: hex("sha256", bytes),
    sm3: hex("sm3", bytes),
    chunkRoot: naiveRoot(chunks.map((chunk) => leafHash(chunk))).toString("hex"),
    chunkCount: 3,
  };
  const border = fc.constantFrom(0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, bytes.length);
  fc.assert(
    fc.property(fc.array(fc.oneof(border, fc.nat(bytes.length)), { maxLength: 6 }), (cuts) => {
      t.same(digest(bytes, cuts), expected);
    }),
    { numRuns: 12 },
  );
});

t.test("a last chunk that is exactly full is one leaf, and no empty leaf follows", async (t) => {
  const bytes = Buffer.alloc(CHUNK_BYTES, 7);
  t.match(digest(bytes, [5]), { chunkCount: 1, chunkRoot: leafHash(bytes).toString("hex") });
});

t.test("digests of nothing and of `abc` are the published ones", async (t) => {
  const nothing = new ContentDigests().finish();
  t.equal(nothing.chunkRoot, hex("sha256", Buffer.of()), "RFC 6962 §2.1: the empty tree");
  t.equal(nothing.chunkCount, 0);
  const abc = digest(Buffer.from("abc"), []);
  t.equal(abc.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "FIPS 180-4");
  t.equal(abc.sm3, "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0", "GB/T 32905 annex A");
});

t.test("no digest can be taken twice or go on after its end", async (t) => {
  const digests = new ContentDigests();
  digests.finish();
  t.throws(() => digests.update(Buffer.of(1)), /finished already/);
  t.throws(() => digests.finish(), /finished already/);
  const counter = new Sha256Counter();
  counter.update(Buffer.from("ab"));
  counter.update(Buffer.from("c"));
  t.same(counter.finish(), { sizeBytes: 3, sha256: hex("sha256", Buffer.from("abc")) });
  t.throws(() => counter.update(Buffer.of(1)));
});
