import { createHash } from "node:crypto";
import { digesting, type FileDigests } from "./digests.ts";
import type { BagSink } from "./sink.ts";

interface Listed extends FileDigests {
  readonly path: string;
}

export interface BagSummary {
  /** Files under `data/`. */
  readonly payloadFiles: number;
  readonly payloadBytes: number;
  /** SHA-256 of tagmanifest-sha256.txt, hex: it stands for every byte of the bag. */
  readonly tagManifestSha256: string;
}

/** Signs tagmanifest-sha256.txt: gives the files that go into `signature/`, which no manifest lists. */
export type SignTagManifest = (tagManifest: Buffer) => Promise<readonly { path: string; content: Buffer }[]>;

/**
 * Writes a BagIt 1.0 bag (RFC 8493): payload files as they come, then tag files, then the manifests over them. Digests of
 * the payload are SHA-256 and SHA-512 in manifests, SM3 in a tag file: validators refuse a manifest of a kind they do not
 * know (§2.2.1 names those that they must).
 */
export class BagWriter {
  readonly #sink: BagSink;
  readonly #payload: Listed[] = [];
  readonly #tags: Listed[] = [];
  readonly #paths = new Set<string>();

  constructor(sink: BagSink) {
    this.#sink = sink;
  }

  /** @param file.path begins with `data/`. */
  async payload(file: { path: string; sizeBytes: number; body: AsyncIterable<Uint8Array> }): Promise<FileDigests> {
    if (!file.path.startsWith("data/")) throw new Error(`${file.path} is not a path of the payload`);
    const digests = await this.#write(file);
    this.#payload.push({ path: file.path, ...digests });
    return digests;
  }

  payloadBytes(path: string, content: Buffer): Promise<FileDigests> {
    return this.payload({ path, sizeBytes: content.length, body: once(content) });
  }

  async tag(path: string, content: Buffer | string): Promise<void> {
    const bytes = Buffer.from(content);
    const digests = await this.#write({ path, sizeBytes: bytes.length, body: once(bytes) });
    this.#tags.push({ path, ...digests });
  }

  /**
   * Writes what describes the bag, and signs it.
   * @param info further lines of bag-info.txt (RFC 8493 §2.2.2), one line each.
   */
  async close(info: readonly (readonly [label: string, value: string])[], sign: SignTagManifest): Promise<BagSummary> {
    const payloadBytes = this.#payload.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const payloadFiles = this.#payload.length;
    await this.tag("bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n");
    const lines = [...info, ["Payload-Oxum", `${payloadBytes}.${payloadFiles}`] as const];
    await this.tag("bag-info.txt", lines.map(([label, value]) => `${label}: ${value}\n`).join(""));
    await this.tag("sm3-digests.txt", manifest(this.#payload, "sm3"));
    await this.tag("manifest-sha256.txt", manifest(this.#payload, "sha256"));
    await this.tag("manifest-sha512.txt", manifest(this.#payload, "sha512"));
    // The tag manifests list every other tag file; what signs them comes after them and is not listed.
    const tagManifest = Buffer.from(manifest(this.#tags, "sha256"));
    const tagManifest512 = Buffer.from(manifest(this.#tags, "sha512"));
    await this.#unlisted("tagmanifest-sha256.txt", tagManifest);
    await this.#unlisted("tagmanifest-sha512.txt", tagManifest512);
    for (const { path, content } of await sign(tagManifest)) await this.#unlisted(path, content);
    const tagManifestSha256 = createHash("sha256").update(tagManifest).digest("hex");
    return { payloadFiles, payloadBytes, tagManifestSha256 };
  }

  async #unlisted(path: string, content: Buffer): Promise<void> {
    await this.#write({ path, sizeBytes: content.length, body: once(content) });
  }

  async #write(file: { path: string; sizeBytes: number; body: AsyncIterable<Uint8Array> }): Promise<FileDigests> {
    // Two names that differ by case alone are one on some systems.
    const folded = file.path.toLowerCase();
    if (this.#paths.has(folded)) throw new Error(`${file.path} would stand in the bag twice`);
    this.#paths.add(folded);
    const { body, finish } = digesting(file.body);
    await this.#sink.write({ ...file, body });
    return finish();
  }
}

/** The form of RFC 8493 §2.1.3, which is that of `sha256sum`. Names hold nothing that would have to be encoded. */
function manifest(files: readonly Listed[], algorithm: "sha256" | "sha512" | "sm3"): string {
  return files.map((file) => `${file[algorithm]}  ${file.path}\n`).join("");
}

/** A JSON file for people and programs. */
export function jsonFile(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}

async function* once(content: Buffer): AsyncGenerator<Uint8Array> {
  if (content.length > 0) yield content;
}
