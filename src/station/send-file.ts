import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ContentDigests } from "#evidence";
import type { ClipMetadata } from "#metadata";
import { type Card, isMediumFault } from "./card.ts";
import type { CardFile } from "./card-files.ts";
import { type Line, sendByForm } from "./form-upload.ts";
import { type FileKey, type Journal, keyOf } from "./journal.ts";
import { rescue } from "./rescue.ts";
import { type CardSource, type Source, sourceOfRescued, sourceOnCard } from "./source.ts";
import { sendByTus } from "./tus-upload.ts";

/** Files up to this size go in one request, from memory. */
const smallBytes = 16 * 1024 * 1024;

export interface Sending {
  readonly line: Line;
  readonly journal: Journal;
  readonly card: Card;
  readonly stateDir: string;
}

/** A file that is to be sent, open. */
export interface Outgoing {
  readonly key: string;
  readonly file: FileKey;
  readonly path: string;
  readonly metadata: ClipMetadata;
  readonly source: CardSource;
}

/** How much of a file tells it from another with the same name, size and time. */
const prefixBytes = 64 * 1024;

/** Opens a file, once, and says which it is. @throws DocksealError when what lies beside it is not as it must be. */
export async function openOutgoing(card: Card, { path, name, describe }: CardFile): Promise<Outgoing> {
  const metadata = await describe();
  const source = await sourceOnCard(card, path);
  try {
    const { sizeBytes, modifiedNs } = source.look;
    const prefix = await source.read(0, Math.min(prefixBytes, sizeBytes)).then(
      (bytes) => createHash("sha256").update(bytes).digest("hex"),
      (error: unknown) => {
        if (isMediumFault(error)) return "unreadable";
        throw error;
      },
    );
    const file = { recorderSerial: metadata.recorderSerial, path: name, sizeBytes, modifiedNs, prefix };
    return { key: keyOf(file), file, path, metadata, source };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/**
 * Sends one file, reading the card once, and notes in the journal that it was taken. A card that cannot be read whole
 * is copied as far as it can be, and that is sent with the ranges that are missing.
 * @throws Refusal, Changed, or the last fault.
 */
export async function sendFile(sending: Sending, outgoing: Outgoing): Promise<void> {
  const { journal, card } = sending;
  const { key, path } = outgoing;
  const copy = join(sending.stateDir, "rescued", key);
  if (journal.get(key) === undefined) await journal.note(key, { file: outgoing.file });
  if (journal.get(key)?.rescued === undefined) {
    try {
      return await send(sending, key, outgoing.source, outgoing.metadata);
    } catch (error) {
      if (!isMediumFault(error)) throw error;
    }
    const { facts, unreadableRanges } = await rescue(card, path, copy);
    await journal.note(key, { rescued: { facts, unreadableRanges }, upload: null });
  }
  const unreadableRanges = [...(journal.get(key)?.rescued?.unreadableRanges ?? [])];
  const source = await sourceOfRescued(copy);
  try {
    // Without any the second look read everything after all.
    const incomplete = unreadableRanges.length === 0 ? {} : { unreadableRanges };
    await send(sending, key, source, { ...outgoing.metadata, ...incomplete });
  } finally {
    await source.close();
  }
  await rm(copy);
}

async function send({ line, journal }: Sending, key: string, source: Source, about: ClipMetadata): Promise<void> {
  const metadata = { ...about, sizeBytes: source.sizeBytes };
  const remembered = {
    upload: journal.get(key)?.upload,
    remember: (upload: string | null) => journal.note(key, { upload }),
  };
  const { clip, facts } =
    source.sizeBytes <= smallBytes
      ? await sendByForm(line, ...(await inMemory(source, metadata)))
      : ((await sendByTus(line, source, metadata, remembered)) ?? (await sendByForm(line, source, metadata)));
  if (clip.sha256 !== facts.sha256 || clip.sizeBytes !== facts.sizeBytes) {
    await journal.note(key, { upload: null });
    throw new Error("the server answered with the digest of another file");
  }
  const { unreadableRanges } = about;
  const incomplete = unreadableRanges === undefined ? {} : { unreadableRanges };
  await journal.note(key, { upload: null, sent: { clipId: clip.id, facts, ...incomplete } });
}

/** Read before it is sent, so that the server is told what it has to get. */
async function inMemory(source: Source, metadata: ClipMetadata): Promise<[Source, ClipMetadata]> {
  const bytes = await source.read(0, source.sizeBytes);
  await source.requireUnchanged();
  const digests = new ContentDigests();
  digests.update(bytes);
  const { sha256 } = digests.finish();
  const held: Source = {
    sizeBytes: bytes.length,
    read: async (position, length) => bytes.subarray(position, position + length),
    requireUnchanged: async () => undefined,
    close: async () => undefined,
  };
  return [held, { ...metadata, digest: { ...metadata.digest, sha256 } }];
}
