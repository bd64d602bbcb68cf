export { type Config, configFromEnvironment, parseConfig, type Variable, variables } from "./config.ts";
