import Type from "typebox";
import { parseVkey, parseWitnessPolicy } from "#evidence";
import { DocksealError, isProblem } from "#kernel";
import { checked } from "#schema";

/** A witness that the log asks for cosignatures. */
export interface Witness {
  /** The submission prefix (C2SP tlog-witness), without a slash at its end. */
  readonly url: string;
  /** Verifier key, of type 04. */
  readonly vkey: string;
  /** Name and id of the key: what the witness is called in alarms and figures. */
  readonly name: string;
}

/** The witnesses of a log, and how many of them make a checkpoint a witnessed one. */
export interface Witnesses {
  readonly threshold: number;
  readonly list: readonly Witness[];
}

const checkFile = checked(
  Type.Object(
    {
      threshold: Type.Integer(),
      witnesses: Type.Array(Type.Object({ url: Type.String(), key: Type.String() }, { additionalProperties: false })),
    },
    { additionalProperties: false },
  ),
);

/**
 * Reads the file that DOCKSEAL_WITNESS_FILE names: `{ "threshold": k, "witnesses": [{ "url": …, "key": … }] }`.
 * @throws DocksealError `configuration-invalid`, which says what is wrong.
 */
export function parseWitnessFile(text: string): Witnesses {
  const wrong = (detail: string, cause?: unknown): DocksealError =>
    new DocksealError("configuration-invalid", { detail: `DOCKSEAL_WITNESS_FILE: ${detail}`, cause });
  try {
    const { threshold, witnesses } = checkFile(JSON.parse(text));
    parseWitnessPolicy({ threshold, keys: witnesses.map(({ key }) => key) }, "witnesses");
    const list = witnesses.map(({ url, key }) => {
      const { protocol, search, hash, username } = URL.canParse(url) ? new URL(url) : new URL("none:");
      if (!/^https?:$/.test(protocol) || search + hash + username !== "") throw wrong(`${url} is not a plain http URL`);
      const { name, id } = parseVkey(key);
      return { url: url.replace(/\/+$/, ""), vkey: key, name: `${name}+${id.toString("hex")}` };
    });
    return { threshold, list };
  } catch (error) {
    if (error instanceof SyntaxError) throw wrong("not JSON", error);
    if (isProblem(error) && error.code !== "configuration-invalid") throw wrong(error.message, error);
    throw error;
  }
}
