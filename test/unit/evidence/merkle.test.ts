import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import {
  appendToTiles,
  consistencyHolds,
  consistencyProof,
  inclusionHolds,
  inclusionProof,
  leafHash,
  nodeHash,
  rootOf,
  TILE_WIDTH,
  type TileReader,
  treeRoot,
} from "#evidence";
import { naivePath, naiveProof, naiveRoot } from "../../support/naive-merkle.ts";

interface ReferenceTree {
  leaf_inputs_hex: string[];
  leaf_hashes_hex: string[];
  roots_by_size_hex: string[];
}

const reference: ReferenceTree = JSON.parse(
  readFileSync(new URL("../../vectors/rfc6962/reference-tree.json", import.meta.url), "utf8"),
);

const leavesOf = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, n) => leafHash(Buffer.from(`leaf ${n}`)));

/** Tiles in memory, written by appendToTiles alone. */
class Tiles {
  readonly tiles = new Map<string, Buffer>();
  reads = 0;
  size = 0;

  readonly read: TileReader = async (level, index, width) => {
    this.reads += 1;
    const tile = this.tiles.get(`${level}/${index}`);
    if (tile === undefined || width < 1 || width > TILE_WIDTH) throw new Error(`no tile ${level}/${index}.p/${width}`);
    return tile;
  };

  async append(leaves: readonly Buffer[]): Promise<void> {
    for (const { level, index, hashes } of await appendToTiles(this.size, leaves, this.read)) {
      this.tiles.set(`${level}/${index}`, hashes);
    }
    this.size += leaves.length;
  }
}

async function tilesOf(leaves: readonly Buffer[]): Promise<Tiles> {
  const tiles = new Tiles();
  await tiles.append(leaves);
  return tiles;
}

const size = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constantFrom(1, 2, 255, 256, 257, 300));

t.test("leaf hashes and roots are those of the RFC 6962 reference tree", async (t) => {
  const leaves = reference.leaf_inputs_hex.map((input) => leafHash(Buffer.from(input, "hex")));
  t.same(
    leaves.map((leaf) => leaf.toString("hex")),
    reference.leaf_hashes_hex,
  );
  for (const [count, root] of reference.roots_by_size_hex.entries()) {
    t.equal(rootOf(leaves.slice(0, count)).toString("hex"), root, `size ${count}`);
    const tiles = await tilesOf(leaves.slice(0, count));
    t.equal((await treeRoot(count, tiles.read)).toString("hex"), root, `size ${count}, from tiles`);
  }
});

t.test("proofs from tiles are those of RFC 6962 §2.1.1 and §2.1.2, and hold", async (t) => {
  const leaves = leavesOf(300);
  const whole = await tilesOf(leaves);
  await fc.assert(
    fc.asyncProperty(size, fc.nat(), fc.nat(), async (newSize, i, o) => {
      const [index, oldSize] = [i % newSize, o % (newSize + 1)];
      const now = leaves.slice(0, newSize);
      const root = naiveRoot(now);
      t.ok((await treeRoot(newSize, whole.read)).equals(root));
      const path = await inclusionProof(index, newSize, whole.read);
      t.same(path, naivePath(index, now));
      const leaf = leaves[index] ?? Buffer.of();
      t.ok(inclusionHolds({ index, size: newSize, leafHash: leaf, proof: path, root }));
      const proof = await consistencyProof(oldSize, newSize, whole.read);
      const oldRoot = naiveRoot(now.slice(0, oldSize));
      if (oldSize > 0) t.same(proof, naiveProof(oldSize, now));
      t.ok(consistencyHolds({ oldSize, newSize, oldRoot, newRoot: root, proof }));
    }),
    { numRuns: 150 },
  );
});

t.test("a changed, longer, shorter or displaced proof does not hold", async (t) => {
  const leaves = leavesOf(300);
  const whole = await tilesOf(leaves);
  const flip = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte, n) => (n === 0 ? byte ^ 1 : byte)));
  await fc.assert(
    fc.asyncProperty(size, fc.nat(), fc.nat(), fc.nat(), async (newSize, i, o, at) => {
      const [index, oldSize] = [i % newSize, 1 + (o % newSize)];
      const root = naiveRoot(leaves.slice(0, newSize));
      const leaf = leaves[index] ?? Buffer.of();
      const proof = await inclusionProof(index, newSize, whole.read);
      const claim = { index, size: newSize, leafHash: leaf, proof, root };
      t.notOk(inclusionHolds({ ...claim, leafHash: flip(leaf) }));
      t.notOk(inclusionHolds({ ...claim, root: flip(root) }));
      t.notOk(inclusionHolds({ ...claim, proof: [...proof, root] }));
      t.notOk(inclusionHolds({ ...claim, index: newSize }));
      t.notOk(inclusionHolds({ ...claim, index: -1 }));
      t.notOk(inclusionHolds({ ...claim, size: 0.5 }));
      const other = (index + 1) % newSize;
      if (other !== index) t.notOk(inclusionHolds({ ...claim, index: other }));
      if (proof.length > 0) {
        t.notOk(inclusionHolds({ ...claim, proof: proof.slice(1) }));
        const changed = proof.map((hash, n) => (n === at % proof.length ? flip(hash) : hash));
        t.notOk(inclusionHolds({ ...claim, proof: changed }));
      }
      const oldRoot = naiveRoot(leaves.slice(0, oldSize));
      const steps = await consistencyProof(oldSize, newSize, whole.read);
      const consistent = { oldSize, newSize, oldRoot, newRoot: root, proof: steps };
      t.notOk(consistencyHolds({ ...consistent, oldRoot: flip(oldRoot) }));
      t.notOk(consistencyHolds({ ...consistent, newRoot: flip(root) }));
      t.notOk(consistencyHolds({ ...consistent, proof: [...steps, root] }));
      t.notOk(consistencyHolds({ ...consistent, oldSize: newSize + 1 }));
      t.notOk(consistencyHolds({ ...consistent, newSize: Number.NaN }));
      t.notOk(consistencyHolds({ ...consistent, oldSize: -1 }));
      if (steps.length > 0) {
        t.notOk(consistencyHolds({ ...consistent, proof: steps.slice(1) }));
        t.notOk(consistencyHolds({ ...consistent, proof: [] }));
        const changed = steps.map((hash, n) => (n === at % steps.length ? flip(hash) : hash));
        t.notOk(consistencyHolds({ ...consistent, proof: changed }));
      }
    }),
    { numRuns: 60 },
  );
  const empty = { oldSize: 0, newSize: 5, oldRoot: rootOf([]), newRoot: rootOf(leaves.slice(0, 5)), proof: [] };
  t.ok(consistencyHolds(empty), "everything begins with nothing");
  t.notOk(consistencyHolds({ ...empty, proof: [rootOf([])] }));
  t.notOk(consistencyHolds({ ...empty, oldRoot: empty.newRoot }));
});

t.test("tiles are the same however leaves are appended, and partial ones are never hashed upwards", async (t) => {
  const leaves = leavesOf(600);
  const atOnce = await tilesOf(leaves);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 8 }), async (steps) => {
      const stepwise = new Tiles();
      for (const step of [...steps, 600]) await stepwise.append(leaves.slice(stepwise.size, stepwise.size + step));
      t.same(stepwise.tiles, atOnce.tiles);
    }),
    { numRuns: 30 },
  );
  const widths = [...atOnce.tiles].map(([name, hashes]) => `${name}:${hashes.length / 32}`).sort();
  t.same(widths, ["0/0:256", "0/1:256", "0/2:88", "1/0:2"]);
});

t.test(
  "a tree of 70,000 leaves has the tiles of the example in C2SP tlog-tiles, and proofs across three levels",
  async (t) => {
    const leaves = leavesOf(70_000);
    const tiles = new Tiles();
    await tiles.append(leaves.slice(0, 65_000));
    await tiles.append(leaves.slice(65_000));
    const counted = [0, 1, 2, 3].map((level) => {
      const widths = [...tiles.tiles]
        .filter(([name]) => name.startsWith(`${level}/`))
        .map(([, tile]) => tile.length / 32);
      return { full: widths.filter((width) => width === 256).length, partial: widths.filter((width) => width < 256) };
    });
    t.same(counted, [
      { full: 273, partial: [112] },
      { full: 1, partial: [17] },
      { full: 0, partial: [1] },
      { full: 0, partial: [] },
    ]);
    const root = rootOf(leaves);
    t.ok((await treeRoot(70_000, tiles.read)).equals(root));
    const proof = await inclusionProof(12_345, 70_000, tiles.read);
    t.ok(inclusionHolds({ index: 12_345, size: 70_000, leafHash: leaves[12_345] ?? root, proof, root }));
    tiles.reads = 0;
    const steps = await consistencyProof(66_001, 70_000, tiles.read);
    t.ok(tiles.reads < 8, "each tile is read once");
    const oldRoot = rootOf(leaves.slice(0, 66_001));
    t.ok(consistencyHolds({ oldSize: 66_001, newSize: 70_000, oldRoot, newRoot: root, proof: steps }));
  },
);

t.test("sizes beyond 2^32 are calculated rightly", async (t) => {
  const zero = Buffer.alloc(32);
  // a complete tree whose leaves are all the same: 41 levels, and each sibling is the subtree below
  const proof: Buffer[] = [];
  let root: Buffer = zero;
  for (let level = 0; level < 41; level += 1) {
    proof.push(root);
    root = nodeHash(root, root);
  }
  t.ok(inclusionHolds({ index: 2 ** 40 + 5, size: 2 ** 41, leafHash: zero, proof, root }));
  t.notOk(inclusionHolds({ index: 2 ** 40 + 5, size: 2 ** 42, leafHash: zero, proof, root }));
});

t.test("wrong sizes and tiles that are too short are refused", async (t) => {
  const { read } = await tilesOf(leavesOf(3));
  await t.rejects(inclusionProof(3, 3, read), RangeError);
  await t.rejects(inclusionProof(-1, 3, read), RangeError);
  await t.rejects(treeRoot(1.5, read), RangeError);
  await t.rejects(consistencyProof(4, 3, read), RangeError);
  await t.rejects(appendToTiles(Number.MAX_SAFE_INTEGER, leavesOf(1), read), RangeError);
  await t.rejects(treeRoot(4, read), { code: "malformed-proof", message: /tile 0\/0 has fewer than 4/ });
});
