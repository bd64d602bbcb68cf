import type { FastifyInstance } from "fastify";
import type { TSchema } from "typebox";
import { checked } from "#schema";

/**
 * One strict validator for everything that comes in: no coercion of bodies, no defaults, no dropped fields. Query strings
 * and parameters are text, so numbers and booleans in them are read as what their schema says.
 * Replies are written as they are: a field missing in a schema must not vanish from an answer.
 */
export function validateStrictly(app: FastifyInstance): void {
  app.setValidatorCompiler<TSchema>(({ schema, httpPart }) => {
    const check = checked(schema);
    const fromText = httpPart === "querystring" || httpPart === "params";
    return (value) => {
      try {
        return { value: check(fromText ? typed(schema, value) : value) };
      } catch (error) {
        return { error: error as Error };
      }
    };
  });
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
}

function typed(schema: TSchema, value: unknown): unknown {
  const properties = (schema as { properties?: Record<string, { type?: string }> }).properties ?? {};
  return Object.fromEntries(
    Object.entries(value as Record<string, unknown>).map(([name, text]) => {
      const type = properties[name]?.type;
      if (type === "integer" && typeof text === "string" && /^\d{1,15}$/.test(text)) return [name, Number(text)];
      if (type === "boolean" && (text === "true" || text === "false")) return [name, text === "true"];
      return [name, text];
    }),
  );
}
