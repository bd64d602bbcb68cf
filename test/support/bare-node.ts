import { join } from "node:path";

/**
 * Arguments for `env`, to start Node without what tap loads into every process of a test by NODE_OPTIONS: its hooks read
 * and parse the source map of each module, which takes longer than the product needs to start.
 */
export function bareNode(...args: readonly string[]): string[] {
  return ["-u", "NODE_OPTIONS", process.execPath, ...args];
}

/** What `dockseal` is in this run: what was built for it (ADR 21), or the source. */
export const productScript =
  process.env["DOCKSEAL_TEST_PRODUCT"] ?? join(import.meta.dirname, "../../src/cli/dockseal.ts");

/** Arguments for `env`, to start the product. */
export function bareProduct(args: readonly string[], flags: readonly string[] = []): string[] {
  return bareNode(...flags, productScript, ...args);
}
