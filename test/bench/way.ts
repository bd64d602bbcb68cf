import { randomUUID } from "node:crypto";
import { type Child, startChild } from "./child.ts";
import type { Endings } from "./endings.ts";
import type { Meter } from "./measured.ts";
import type { Source } from "./source.ts";

/** A file to send, several times at once under different keys. */
export interface SendOrder extends Source {
  readonly bucket: string;
  readonly keys: readonly string[];
}

/** One way for bytes into the S3 server. */
export interface Way {
  readonly path: string;
  /** Of the processes whose memory and time are of interest. */
  readonly meter: Meter | undefined;
  /** Sends the file under each key at once; resolves when all are stored. */
  readonly send: (order: SendOrder) => Promise<void>;
}

/** Keys that no upload had before. */
export function newKeys(count: number): string[] {
  return Array.from({ length: count }, () => `bench/${randomUUID().replaceAll("-", "")}`);
}

/** The same bytes of one recorder are one clip, so each upload is of a recorder of its own. */
export function recorderOf(key: string): string {
  return key.slice(-32);
}

export async function together(keys: readonly string[], work: (key: string) => Promise<void>): Promise<void> {
  await Promise.all(keys.map(work));
}

export function expectStatus(status: number, answer: { status: number; body: string }): void {
  if (answer.status !== status) throw new Error(`answer ${answer.status} instead of ${status}: ${answer.body}`);
}

export function startBeside(endings: Endings, script: string, environment: Record<string, string>): Child {
  return startChild(endings, { script: `${import.meta.dirname}/${script}`, environment });
}
