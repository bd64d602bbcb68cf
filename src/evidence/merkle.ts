import { createHash } from "node:crypto";

/** Bytes of a SHA-256 hash. */
export const HASH_BYTES = 32;

/** RFC 6962 §2.1: SHA-256(0x00 ‖ entry). */
export function leafHash(entry: Uint8Array): Buffer {
  return createHash("sha256").update(Buffer.of(0)).update(entry).digest();
}

/** RFC 6962 §2.1: SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return createHash("sha256").update(Buffer.of(1)).update(left).update(right).digest();
}

/**
 * A Merkle tree hash (RFC 6962 §2.1) taken leaf by leaf: only the roots of the complete subtrees are kept, so memory
 * grows with the logarithm of the size.
 */
export class MerkleRoot {
  readonly #subtrees: { hash: Buffer; leaves: number }[] = [];
  #count = 0;

  /** Number of leaves so far. */
  get count(): number {
    return this.#count;
  }

  append(leaf: Buffer): void {
    this.#count += 1;
    let subtree = { hash: leaf, leaves: 1 };
    for (let left = this.#subtrees.at(-1); left?.leaves === subtree.leaves; left = this.#subtrees.at(-1)) {
      subtree = { hash: nodeHash(left.hash, subtree.hash), leaves: left.leaves * 2 };
      this.#subtrees.pop();
    }
    this.#subtrees.push(subtree);
  }

  /** The root over the leaves so far; of no leaves: SHA-256 of nothing. More leaves may follow. */
  root(): Buffer {
    const hashes = this.#subtrees.map((subtree) => subtree.hash);
    if (hashes.length === 0) return createHash("sha256").digest();
    return hashes.reduceRight((right, left) => nodeHash(left, right));
  }
}

/** Merkle tree hash over a list of leaf hashes (RFC 6962 §2.1). */
export function rootOf(leafHashes: Iterable<Buffer>): Buffer {
  const tree = new MerkleRoot();
  for (const leaf of leafHashes) tree.append(leaf);
  return tree.root();
}

export interface InclusionClaim {
  readonly index: number;
  readonly size: number;
  readonly leafHash: Uint8Array;
  /** From the leaf's sibling up to the root's child. */
  readonly proof: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/** Does the leaf stand at `index` in the tree of `size` leaves with this root? RFC 9162 §2.1.3.2. */
export function inclusionHolds({ index, size, leafHash: leaf, proof, root }: InclusionClaim): boolean {
  if (!isSize(size) || !isSize(index) || index >= size) return false;
  let node = index;
  let last = size - 1;
  let hash: Buffer = Buffer.from(leaf);
  for (const sibling of proof) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      hash = nodeHash(sibling, hash);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && hash.equals(root);
}

export interface ConsistencyClaim {
  readonly oldSize: number;
  readonly newSize: number;
  readonly oldRoot: Uint8Array;
  readonly newRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/**
 * Is the tree of `oldSize` leaves a beginning of the tree of `newSize` leaves? RFC 9162 §2.1.4.2. For equal sizes and
 * for an empty old tree, which the RFC leaves out, the proof is empty.
 */
export function consistencyHolds({ oldSize, newSize, oldRoot, newRoot, proof }: ConsistencyClaim): boolean {
  if (!isSize(oldSize) || !isSize(newSize) || oldSize > newSize) return false;
  if (oldSize === newSize) return proof.length === 0 && Buffer.from(oldRoot).equals(newRoot);
  if (oldSize === 0) return proof.length === 0 && rootOf([]).equals(oldRoot);
  let node = oldSize - 1;
  let last = newSize - 1;
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  // an old tree that is complete is itself a node of the new one, and its hash is left out of the proof
  const path = node === 0 ? [oldRoot, ...proof] : proof;
  const [first, ...rest] = path;
  if (first === undefined) return false;
  let oldHash: Buffer = Buffer.from(first);
  let newHash: Buffer = Buffer.from(first);
  for (const hash of rest) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      oldHash = nodeHash(hash, oldHash);
      newHash = nodeHash(hash, newHash);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      newHash = nodeHash(newHash, hash);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && oldHash.equals(oldRoot) && newHash.equals(newRoot);
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

// Sizes go beyond 2^31, where JavaScript's bit operators end.
const isOdd = (value: number): boolean => value % 2 === 1;
const half = (value: number): number => Math.floor(value / 2);
