import { systemClock } from "#kernel";
import { builtInAuthority } from "#seal";

// Prints the tokens of the built-in authority over one digest, base64, a line each: `authority-child.ts KEYS-DIR COUNT`.

const [keysDir = "", count = ""] = process.argv.slice(2);
const { stamp } = await builtInAuthority(keysDir, systemClock);
const signal = new AbortController().signal;
const sha256 = Buffer.alloc(32, 1);
const tokens = await Promise.all(Array.from({ length: Number(count) }, () => stamp({ sha256 }, signal)));
for (const { tokenDer } of tokens) process.stdout.write(`${tokenDer.toString("base64")}\n`);
