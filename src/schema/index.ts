export { checked, type FieldError, fieldProblem, type SchemaError } from "./checked.ts";
