import { type Card, mountedCard } from "../../src/station/card.ts";

interface Fault {
  readonly offset: number;
  readonly length: number;
}

function fault(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: a fault made on purpose`), { code });
}

function touches({ offset, length }: Fault, position: number, count: number): boolean {
  return position < offset + length && offset < position + count;
}

/**
 * A card in memory that answers EIO for some bytes of every file: the one fault that no file system gives on request.
 * @param goneAfterOpening pulled out once it was opened so often.
 */
export function cardWithFaults(
  files: Readonly<Record<string, Buffer>>,
  faults: readonly Fault[],
  { goneAfterOpening = Number.POSITIVE_INFINITY } = {},
): Card {
  let opened = 0;
  return {
    async open(path) {
      const bytes = files[path];
      if (bytes === undefined) throw fault("ENOENT");
      opened += 1;
      if (opened > goneAfterOpening) throw fault("ENODEV");
      return {
        look: async () => ({ sizeBytes: bytes.length, modifiedNs: "1", node: path }),
        read: async (into, position) => {
          const count = Math.min(into.length, bytes.length - position);
          if (faults.some((one) => touches(one, position, count))) throw fault("EIO");
          return bytes.copy(into, 0, position, position + count);
        },
        close: async () => undefined,
      };
    },
  };
}

/** The mounted card, of which some bytes of the files whose names match cannot be read. */
export function mountedCardWithFaults(name: RegExp, faults: readonly Fault[]): Card {
  return {
    async open(path) {
      const file = await mountedCard.open(path);
      if (!name.test(path)) return file;
      return {
        ...file,
        read: async (into, position) => {
          if (faults.some((one) => touches(one, position, into.length))) throw fault("EIO");
          return file.read(into, position);
        },
      };
    },
  };
}
