import { randomBytes } from "node:crypto";
import { opendir, readdir } from "node:fs/promises";
import type { ObjectRef, Retention } from "../port.ts";
import { failedWith } from "./durable.ts";

/*
 * objects/<key>@/             one directory an object; `@` is in no key, so it cannot meet another key's directory
 *   v-<version id>            the bytes, mode 0440
 *   retain-<milliseconds>     COMPLIANCE until then. Marks are only added and the latest counts, so that two processes
 *                             that lock at once cannot shorten each other
 *   hold                      legal hold
 * unfinished/<key, / as ~>@<random>/
 *                             an object being written, or on its way to removal. Renaming it to objects/<key>@ is the
 *                             commit: the system refuses to rename onto a directory that is not empty
 * unfinished/<key, / as ~>@<write id>/part-<number>-<random>
 *                             a resumable write. One file a try of a part: what a process that was thought dead still
 *                             writes goes into a file that nobody counts. The write's id becomes the version's
 */
export const OBJECTS = "objects";
export const UNFINISHED = "unfinished";
export const HOLD = "hold";

export function versionFile(versionId: string): string {
  return `v-${versionId}`;
}

export function retainMark(until: Date): string {
  return `retain-${until.getTime()}`;
}

/** A version id that this adapter may have given; anything else names no file. */
export function isVersionId(versionId: string): boolean {
  return /^[0-9a-f]{32}$/.test(versionId);
}

export function newVersionId(): string {
  return randomBytes(16).toString("hex");
}

export function unfinishedName(key: string, id: string = randomBytes(8).toString("hex")): string {
  return `${key.replaceAll("/", "~")}@${id}`;
}

export function keyOfUnfinished(name: string): string {
  return name.slice(0, name.lastIndexOf("@")).replaceAll("~", "/");
}

/** What the names in an object's directory say; undefined when there is none, or it holds no version. */
export interface ObjectState {
  readonly versionId: string;
  readonly retention: Retention | undefined;
  readonly legalHold: boolean;
}

export async function readState(directory: string): Promise<ObjectState | undefined> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if (failedWith(error, "ENOENT")) return undefined;
    throw error;
  }
  const version = names.find((name) => name.startsWith("v-"));
  if (version === undefined) return undefined;
  const latest = Math.max(0, ...names.filter((name) => /^retain-\d+$/.test(name)).map((name) => Number(name.slice(7))));
  return {
    versionId: version.slice(2),
    retention: latest > 0 ? { mode: "COMPLIANCE", until: new Date(latest) } : undefined,
    legalHold: names.includes(HOLD),
  };
}

/** All objects whose key begins with the prefix. */
export async function* findObjects(root: string, prefix: string): AsyncGenerator<Omit<ObjectRef, "versionId">> {
  const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  yield* walk(root, folder, prefix);
}

async function* walk(root: string, folder: string, prefix: string): AsyncGenerator<{ key: string }> {
  let entries: AsyncIterable<{ readonly name: string }>;
  try {
    entries = await opendir(`${root}/${folder}`);
  } catch (error) {
    if (failedWith(error, "ENOENT")) return;
    throw error;
  }
  for await (const { name } of entries) {
    const path = `${folder}${name}`;
    if (name.endsWith("@")) {
      const key = path.slice(0, -1);
      if (key.startsWith(prefix)) yield { key };
    } else if (path.startsWith(prefix) || prefix.startsWith(`${path}/`)) {
      yield* walk(root, `${path}/`, prefix);
    }
  }
}
