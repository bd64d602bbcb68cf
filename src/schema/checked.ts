import type { Static, TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { DocksealError } from "#kernel";

export interface FieldError {
  /** Dotted path of the field; empty for the whole. */
  readonly field: string;
  readonly problem: string;
}

/** An error as JSON Schema validators (typebox, ajv) word it. */
export interface SchemaError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: object;
  readonly message?: string | undefined;
}

/** Words schema errors as one problem: `unknown-field` when nothing but unknown fields was wrong, else `malformed-field`. */
export function fieldProblem(errors: readonly SchemaError[]): DocksealError {
  const unknown: FieldError[] = [];
  const malformed: FieldError[] = [];
  for (const error of errors) {
    if (error.keyword === "boolean") continue; // typebox's echo of additionalProperties:false
    const at = error.instancePath.slice(1).replaceAll("/", ".");
    const params = error.params as Record<string, unknown>;
    const extra = params["additionalProperties"] ?? params["additionalProperty"];
    if (error.keyword === "additionalProperties") {
      for (const name of [extra].flat())
        unknown.push({ field: at === "" ? `${name}` : `${at}.${name}`, problem: "is not a known field" });
    } else {
      malformed.push({ field: at, problem: error.message ?? error.keyword });
    }
  }
  const list = [...unknown, ...malformed];
  const code = malformed.length === 0 && unknown.length > 0 ? "unknown-field" : "malformed-field";
  return new DocksealError(code, {
    detail: list.map((entry) => `${entry.field === "" ? "the whole" : entry.field} ${entry.problem}`).join("; "),
    extra: { errors: list },
  });
}

/**
 * Makes a check of a schema that nothing slips through: no coercion, no defaults, unknown fields refused (the schema's
 * objects say `additionalProperties: false`), no U+0000 and no lone surrogate in any string, which neither PostgreSQL
 * nor canonical JSON could keep.
 */
export function checked<const S extends TSchema>(schema: S): (value: unknown) => Static<S> {
  let validator: ReturnType<typeof Compile<S>> | undefined;
  return (value) => {
    validator ??= Compile(schema);
    if (!validator.Check(value)) throw fieldProblem(validator.Errors(value) as SchemaError[]);
    refuseUnstorableText(value, "");
    return value as Static<S>;
  };
}

export function refuseUnstorableText(value: unknown, at: string): void {
  if (typeof value === "string") {
    if (value.includes("\u0000") || !value.isWellFormed()) {
      const error = { field: at, problem: "holds a character that is not allowed (U+0000 or half a surrogate pair)" };
      throw new DocksealError("malformed-field", { detail: `${at} ${error.problem}`, extra: { errors: [error] } });
    }
  } else if (typeof value === "object" && value !== null) {
    for (const [name, member] of Object.entries(value))
      refuseUnstorableText(member, at === "" ? name : `${at}.${name}`);
  }
}
