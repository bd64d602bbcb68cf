import {
  anyMembers,
  exactMembers,
  literal,
  parseCertificate,
  parseJsonOnce,
  parseSealKey,
  parseVkey,
  parseWitnessPolicy,
  type WitnessPolicy,
} from "#evidence";
import { DocksealError } from "#kernel";

/** What a verifier believes, from elsewhere than the server: `dockseal/trust@v1`, see docs/formats.md. */
export interface Trust {
  /** Verifier keys of logs, of type `note`. */
  readonly logs: readonly string[];
  /** Root certificates of timestamp authorities, PEM. */
  readonly timestampRoots: readonly string[];
  /** When a checkpoint counts as witnessed. Absent: nothing is said about witnesses. */
  readonly witnesses?: WitnessPolicy;
  /** Public keys that sign originals, PEM of SubjectPublicKeyInfo. */
  readonly sealKeys?: readonly string[];
  /** Root certificates of those who sign exports, PEM. */
  readonly exportRoots?: readonly string[];
}

const REQUIRED = ["type", "logs", "timestampRoots"];
const OPTIONAL = ["witnesses", "sealKeys", "exportRoots"];

/** Strict: these members and no others, each once and of its form. @throws DocksealError malformed-proof. */
export function parseTrust(text: string): Trust {
  const value = parseJsonOnce(text, "trust");
  const present = OPTIONAL.filter((name) => Object.hasOwn(anyMembers(value, "trust"), name));
  const { type, logs, timestampRoots, witnesses, sealKeys, exportRoots } = exactMembers(
    value,
    [...REQUIRED, ...present],
    "trust",
  );
  literal(type as string, "dockseal/trust@v1", "trust: `type`");
  return {
    logs: listOf(logs, requireLogKey, "logs"),
    timestampRoots: listOf(timestampRoots, parseCertificate, "timestampRoots"),
    ...(witnesses === undefined ? {} : { witnesses: parseWitnessPolicy(witnesses, "trust: `witnesses`") }),
    ...(sealKeys === undefined ? {} : { sealKeys: listOf(sealKeys, parseSealKey, "sealKeys") }),
    ...(exportRoots === undefined ? {} : { exportRoots: listOf(exportRoots, parseCertificate, "exportRoots") }),
  };
}

function listOf(value: unknown, requireForm: (item: string) => unknown, name: string): string[] {
  const isTexts = Array.isArray(value) && value.every((item) => typeof item === "string");
  if (!isTexts) throw malformed(`trust: \`${name}\` is not a list of texts`);
  for (const item of value) requireForm(item);
  return value;
}

/** A witness's key among them would let a witness speak for a log. */
function requireLogKey(vkey: string): void {
  if (parseVkey(vkey).type !== "note") throw malformed("trust: a key under `logs` is not a log's");
}

const malformed = (detail: string): DocksealError => new DocksealError("malformed-proof", { detail });
