import { parseCertificate, parseVkey } from "#evidence";
import { DocksealError } from "#kernel";

/**
 * What a verifier believes, from elsewhere than the server: a JSON file
 * `{ "type": "dockseal/trust@v1", "logs": [verifier key, …], "timestampRoots": [certificate in PEM, …] }`.
 */
export interface Trust {
  readonly logs: readonly string[];
  readonly timestampRoots: readonly string[];
}

/** Strict: exactly these members. @throws DocksealError malformed-proof. */
export function parseTrust(text: string): Trust {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DocksealError("malformed-proof", { detail: "trust: not JSON", cause });
  }
  if (!isTrust(value)) {
    throw new DocksealError("malformed-proof", { detail: "trust: not exactly `type`, `logs` and `timestampRoots`" });
  }
  value.logs.forEach(parseVkey);
  value.timestampRoots.forEach(parseCertificate);
  return { logs: value.logs, timestampRoots: value.timestampRoots };
}

function isTrust(value: unknown): value is Trust {
  if (typeof value !== "object" || value === null) return false;
  const { type, logs, timestampRoots, ...others } = value as Record<string, unknown>;
  if (type !== "dockseal/trust@v1" || Object.keys(others).length > 0) return false;
  return isTexts(logs) && isTexts(timestampRoots);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
