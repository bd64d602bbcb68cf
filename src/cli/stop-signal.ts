/**
 * Aborts on SIGTERM or SIGINT, and when the process that started us with an IPC channel is gone. A second signal ends
 * the process at once.
 */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort(new Error(signal));
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  if (process.connected) {
    process.once("disconnect", () => stop.abort(new Error("the supervising process is gone")));
    // The channel must tell us of that end, but not keep us from ending ourselves.
    process.channel?.unref();
  }
  return stop.signal;
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
