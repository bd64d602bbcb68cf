import pino, { type Logger } from "pino";

/** Structured log on standard error. Ids, codes and figures only: no names of people or files, no secrets. */
export function newLogger(service: string, level: string): Logger {
  return pino(
    {
      level,
      base: { service, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: ["*.password", "*.token", "*.authorization", "*.cookie", "req.headers"], censor: "[redacted]" },
    },
    // Synchronous: the last lines before a crash are the ones that are wanted.
    pino.destination({ dest: 2, sync: true }),
  );
}
