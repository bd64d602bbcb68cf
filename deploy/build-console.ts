#!/usr/bin/env node
// Builds the web console (src/console) into dist/console: `npm run build:console`. `npm ci` does it too.
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { build, type Plugin } from "vite";

const root = join(import.meta.dirname, "..");
const page = join(root, "src/verify-page");

/**
 * Verification in the browser is the code of `dockseal verify`, over what stands in the place of node:crypto for
 * docs/verify.html (ADR 15). Of the rooms kernel and evidence only what verification needs comes along.
 */
const rooms: Plugin = {
  name: "rooms",
  enforce: "pre",
  async resolveId(source, importer, options) {
    if (source === "node:crypto") return join(page, "node-crypto.ts");
    if (source === "node:timers/promises") return "\0no-timers";
    if (!/^(#|\.\.?\/)/.test(source) || !/\/src\/(kernel|evidence|verify)\//.test(`${importer}`)) return undefined;
    // Imports of these rooms do nothing by themselves.
    const found = await this.resolve(source, importer, { ...options, skipSelf: true });
    return found === null ? null : { ...found, moduleSideEffects: false };
  },
  load(id) {
    return id === "\0no-timers" ? "export const setTimeout = undefined;" : undefined;
  },
};

/**
 * antd gives the styles that it makes while it runs the nonce of its setting `csp`; the scroll lock of its dialogs does
 * not. What it lacks is taken from the document, so that the policy of the console need not allow inline styles.
 */
const nonces: Plugin = {
  name: "nonces",
  transform(code, id) {
    if (!id.endsWith("/@rc-component/util/es/Dom/dynamicCSS.js")) return undefined;
    const given = /if \(csp\?\.nonce\) \{\s+styleNode\.nonce = csp\?\.nonce;\s+\}/;
    if (!given.test(code)) throw new Error(`${id} is not what the nonces of the console were written for`);
    const own = 'styleNode.nonce = csp?.nonce ?? document.querySelector("meta[property=csp-nonce]")?.nonce ?? "";';
    return code.replace(given, own);
  },
};

/** Builds the console. A server that runs meanwhile sends the old one or the new one, never half of each. */
export async function buildConsole(): Promise<void> {
  const target = join(root, "dist/console");
  const fresh = join(root, `dist/.console-${process.pid}`);
  await mkdir(fresh, { recursive: true });
  await build({
    configFile: false,
    root: join(root, "src/console"),
    logLevel: "error",
    plugins: [rooms, nonces],
    build: {
      outDir: fresh,
      emptyOutDir: true,
      target: "es2022",
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      chunkSizeWarningLimit: 2000,
      rolldownOptions: { transform: { inject: { Buffer: [join(page, "buffer.ts"), "Buffer"] } } },
    },
  });
  await compress(join(fresh, "assets"));
  const old = `${fresh}-old`;
  await rename(target, old).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await rename(fresh, target);
  await rm(old, { recursive: true, force: true });
}

/** Beside each file the same in gzip, so that the server need not compress. */
async function compress(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    await writeFile(`${path}.gz`, await promisify(gzip)(await readFile(path), { level: 9 }));
  }
}

if (process.argv[1] === import.meta.filename) await buildConsole();
