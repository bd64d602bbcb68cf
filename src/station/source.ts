import { type Card, Changed, type Look, mountedCard, readExactly, sameLook } from "./card.ts";

/** The bytes that are sent: of a file on the card, or of the copy of what could be read of one. */
export interface Source {
  readonly sizeBytes: number;
  /** @throws Changed, or the fault of the medium. */
  read(position: number, length: number): Promise<Buffer>;
  /** Asked before the last bytes go. @throws Changed when the file is not what it was when it was opened. */
  requireUnchanged(): Promise<void>;
  close(): Promise<void>;
}

export interface CardSource extends Source {
  /** As it was when it was opened. */
  readonly look: Look;
}

/** Opens a file on the card. */
export async function sourceOnCard(card: Card, path: string): Promise<CardSource> {
  const file = await card.open(path);
  const look = await file.look();
  return {
    look,
    sizeBytes: look.sizeBytes,
    read: (position, length) => readExactly(file, position, length),
    requireUnchanged: async () => {
      if (!sameLook(look, await file.look())) throw new Changed("the file changed while it was read");
    },
    close: () => file.close(),
  };
}

/** A copy made by `rescue`: nobody changes it. */
export async function sourceOfRescued(path: string): Promise<Source> {
  const file = await mountedCard.open(path);
  const { sizeBytes } = await file.look();
  return {
    sizeBytes,
    read: (position, length) => readExactly(file, position, length),
    requireUnchanged: async () => undefined,
    close: () => file.close(),
  };
}
