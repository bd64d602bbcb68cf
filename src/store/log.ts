/** One line for the operator. No secret and no key of a person in it; `error` may hold a cause. */
export interface StoreLogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly msg: string;
  readonly [field: string]: unknown;
}
export type StoreLog = (line: StoreLogLine) => void;
