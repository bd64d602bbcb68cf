import { createSHA1, createSHA256, createSHA384, createSHA512, createSM3, type IHasher } from "hash-wasm";

// createHash of node:crypto, in WebAssembly: digests that run on while a file of many gigabytes is read in pieces, which
// WebCrypto cannot do.

/** One machine an algorithm, whose state is swapped: any number of digests may run at once. */
interface Machine {
  readonly hasher: IHasher;
  /** Whose state is in the machine. */
  holder: Hash | undefined;
}

const machines: ReadonlyMap<string, Machine> = new Map(
  await Promise.all(
    (
      [
        ["sha1", createSHA1],
        ["sha256", createSHA256],
        ["sha384", createSHA384],
        ["sha512", createSHA512],
        ["sm3", createSM3],
      ] as const
    ).map(async ([name, create]): Promise<[string, Machine]> => [name, { hasher: await create(), holder: undefined }]),
  ),
);

export class Hash {
  readonly #machine: Machine;
  #state: Uint8Array | undefined;
  #finished = false;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  update(data: string | Uint8Array): this {
    this.#take().update(data);
    return this;
  }

  digest(): Buffer;
  digest(encoding: BufferEncoding): string;
  digest(encoding?: BufferEncoding): Buffer | string {
    const bytes = Buffer.from(this.#take().digest("binary"));
    this.#finished = true;
    this.#machine.holder = undefined;
    return encoding === undefined ? bytes : bytes.toString(encoding);
  }

  /** Puts this digest's state into the machine, after saving that of the one before. */
  #take(): IHasher {
    if (this.#finished) throw new Error("Digest already called");
    const { hasher, holder } = this.#machine;
    if (holder === this) return hasher;
    if (holder !== undefined) holder.#state = hasher.save();
    if (this.#state === undefined) hasher.init();
    else hasher.load(this.#state);
    this.#machine.holder = this;
    return hasher;
  }
}

export function createHash(algorithm: string): Hash {
  const machine = machines.get(algorithm);
  if (machine === undefined) throw new Error("Digest method not supported");
  return new Hash(machine);
}
