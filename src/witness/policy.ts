import Type from "typebox";
import { parseVkey } from "#evidence";
import { DocksealError, isProblem } from "#kernel";
import { checked } from "#schema";

/** The logs that a witness looks after: origin to the verifier keys that may sign for it. */
export type TrustedLogs = ReadonlyMap<string, readonly string[]>;

const checkPolicy = checked(
  Type.Object(
    {
      logs: Type.Array(
        Type.Object(
          {
            origin: Type.String({ minLength: 1, maxLength: 200 }),
            keys: Type.Array(Type.String(), { minItems: 1, maxItems: 16 }),
          },
          { additionalProperties: false },
        ),
        { minItems: 1 },
      ),
    },
    { additionalProperties: false },
  ),
);

/**
 * Reads the policy file: `{ "logs": [{ "origin": …, "keys": [verifier key, …] }] }`. A log that changes its key has two
 * for a while.
 * @throws DocksealError `configuration-invalid`, which says what is wrong.
 */
export function parseTrustedLogs(text: string): TrustedLogs {
  const wrong = (detail: string, cause?: unknown): DocksealError =>
    new DocksealError("configuration-invalid", { detail: `the witness's policy: ${detail}`, cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw wrong("not JSON", cause);
  }
  try {
    const { logs } = checkPolicy(value);
    const trusted = new Map(logs.map(({ origin, keys }) => [origin, keys]));
    if (trusted.size < logs.length) throw wrong("an origin stands there twice");
    if (logs.flatMap(({ keys }) => keys).some((key) => parseVkey(key).type !== "note")) {
      throw wrong("a key is a witness's (type 04), not a log's");
    }
    return trusted;
  } catch (error) {
    if (isProblem(error) && error.code !== "configuration-invalid") throw wrong(error.message, error);
    throw error;
  }
}
