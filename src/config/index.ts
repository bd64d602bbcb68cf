export { type Config, configFromEnvironment, parseConfig } from "./config.ts";
export { type Variable, variables } from "./variables.ts";
