import { DocksealError } from "#kernel";
import { type Variable, variables } from "./variables.ts";

type Name = keyof typeof variables;
type Camel<S extends string> = S extends `${infer A}_${infer B}`
  ? `${Lowercase<A>}${Capitalize<Camel<B>>}`
  : Lowercase<S>;
type Key<N extends Name> = N extends `DOCKSEAL_${infer Rest}` ? Camel<Rest> : never;

/** The whole configuration: `DOCKSEAL_MAX_CLIP_BYTES` is `maxClipBytes`, and so on. */
export type Config = { readonly [N in Name as Key<N>]: (typeof variables)[N] extends Variable<infer T> ? T : never };

function keyOf(name: string): string {
  return name
    .slice("DOCKSEAL_".length)
    .toLowerCase()
    .replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * Reads and checks a whole environment.
 * @throws DocksealError `configuration-invalid`, whose detail has one line for every bad, missing or unknown variable.
 */
export function parseConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  const config: Record<string, unknown> = {};
  for (const [name, definition] of Object.entries(variables) as [string, Variable][]) {
    const value = environment[name];
    if (value === undefined) {
      if (!("fallback" in definition))
        problems.push(`${name} is missing. ${definition.about} Example: ${definition.example}`);
      config[keyOf(name)] = definition.fallback;
      continue;
    }
    try {
      config[keyOf(name)] = definition.read(value);
    } catch (error) {
      problems.push(`${name} ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  for (const name of Object.keys(environment)) {
    // DOCKSEAL_TEST_* belongs to the test suite, which starts products with the environment that it runs in.
    if (name.startsWith("DOCKSEAL_") && !name.startsWith("DOCKSEAL_TEST_") && !(name in variables)) {
      problems.push(`${name} is unknown: check its spelling against .env.example`);
    }
  }
  if (problems.length > 0) {
    const head = problems.length === 1 ? "1 variable is wrong:" : `${problems.length} variables are wrong:`;
    throw new DocksealError("configuration-invalid", { detail: [head, ...problems].join("\n  ") });
  }
  return config as Config;
}

/** The only reader of the process's environment. */
export function configFromEnvironment(): Config {
  return parseConfig(process.env);
}
