import { registerHooks } from "node:module";

// `node --import` of this file: src/evidence and src/verify get the page's stand-in for node:crypto, and the page's own
// modules the stand-in's `verify`.

const standIn = new URL("./stand-in.ts", import.meta.url).href;

registerHooks({
  resolve(specifier, context, nextResolve) {
    const parent = context.parentURL ?? "";
    const pure = specifier === "node:crypto" && /\/src\/(evidence|verify)\//.test(parent);
    const page = specifier === "./signatures.ts" && parent.endsWith("/src/verify-page/x509.ts");
    return pure || page ? { url: standIn, shortCircuit: true } : nextResolve(specifier, context);
  },
});
