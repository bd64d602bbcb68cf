// `node deploy/dev/verify-page.ts` writes docs/verify.html; with --check it only compares. The same sources give the same
// bytes: everything is in the lock file, and nothing of this machine goes into the page.
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

const root = join(import.meta.dirname, "../..");
const source = join(root, "src/verify-page");
const target = join(root, "docs/verify.html");

/** node:crypto becomes the page's own; what the rooms hold beside verification is left out where nothing needs it. */
const rooms: Plugin = {
  name: "rooms",
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^node:crypto$/ }, () => ({ path: join(source, "node-crypto.ts") }));
    // Imports of kernel and evidence do nothing by themselves.
    onResolve({ filter: /^(#|\.\.?\/)/ }, async ({ path, kind, importer, resolveDir, pluginData }) => {
      if (pluginData === "resolved" || !importer.startsWith(join(root, "src"))) return undefined;
      const found = await resolve(path, { kind, importer, resolveDir, pluginData: "resolved" });
      return { ...found, sideEffects: false };
    });
  },
};

/** The whole page as text. */
export async function verifyPage(): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [join(source, "page.ts")],
    bundle: true,
    write: false,
    minify: true,
    charset: "utf8",
    format: "esm",
    platform: "browser",
    target: "es2023",
    legalComments: "none",
    inject: [join(source, "buffer.ts")],
    external: ["node:timers/promises"],
    plugins: [rooms],
    tsconfigRaw: {},
  });
  // A script ends at its first end tag, whatever it stands in.
  const script = (outputFiles[0]?.text ?? "").trim().replaceAll("</script", "<\\/script");
  if (/^import\b|\bimport\s*[({"']/m.test(script)) throw new Error("the page would load something");
  const style = (await readFile(join(source, "page.css"), "utf8")).replace(/\s+/g, " ").trim();
  const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)} 'wasm-unsafe-eval'`,
    `style-src ${hash(style)}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  const parts: Readonly<Record<string, string>> = { policy, style, script };
  const page = await readFile(join(source, "page.html"), "utf8");
  return page.replace(/\{\{(\w+)\}\}/g, (_, name: string) => parts[name] ?? "");
}

async function main(check: boolean): Promise<number> {
  const page = await verifyPage();
  if (!check) {
    await writeFile(target, page);
    return 0;
  }
  const found = await readFile(target, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (found === page) return 0;
  process.stderr.write("out of date: docs/verify.html. Run `npm run generate`.\n");
  return 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.includes("--check"));
