import type { Query } from "@tanstack/react-query";
import { useEffect } from "react";
import { queries } from "./session.ts";

/** So many loaded pages of a list are asked for again at once; a longer list waits for whoever reads it to ask. */
const mostPages = 3;
/** Many clips that arrive together are one change of the list. */
const gatherMs = 1_000;
/** After the server has ended a stream, because it stops. */
const againMs = 5_000;

/**
 * Keeps what is shown of clips up to date while somebody looks (`GET /api/v1/events`). A page in the background listens
 * to nothing: a browser opens six connections to one server, and as many tabs would take them all.
 */
export function useLive(wanted: boolean): void {
  useEffect(() => {
    if (!wanted) return;
    let source: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let changed: ReturnType<typeof setTimeout> | undefined;
    const clips = new Set<unknown>();
    const refresh = (): void => {
      changed ??= setTimeout(() => {
        changed = undefined;
        const told = new Set(clips);
        clips.clear();
        const changes = ({ queryKey: [what, which], state }: Query): boolean =>
          what === "clips"
            ? pagesOf(state.data) <= mostPages
            : (what === "overview" && (state.data === undefined || isOfHandler(state.data))) ||
              ((what === "clip" || what === "custody") && told.has(which)) ||
              // What is on its way may hold them.
              (what === "cases" && (state.fetchStatus === "fetching" || holdsAny(state.data, told)));
        // What is on its way may be as it was before. It is not given up, for then a slow answer would never come while
        // clips arrive: it is asked for again afterwards.
        if (queries.getQueryCache().findAll({ predicate: changes, fetchStatus: "fetching" }).length > 0) {
          for (const clip of told) clips.add(clip);
          refresh();
        }
        void queries.invalidateQueries({ predicate: changes }, { cancelRefetch: false });
      }, gatherMs);
    };
    const close = (): void => {
      clearTimeout(timer);
      source?.close();
      source = undefined;
    };
    const listen = (): void => {
      close();
      if (document.hidden) return;
      source = new EventSource("/api/v1/events");
      for (const name of ["ready", "reload"]) source.addEventListener(name, refresh);
      source.addEventListener("clip", ({ data }: MessageEvent<string>) => {
        clips.add((JSON.parse(data) as { clipId: string }).clipId);
        refresh();
      });
      source.addEventListener("end", () => {
        close();
        // Whether the session is over is told by what is asked next.
        refresh();
        timer = setTimeout(listen, againMs);
      });
      source.addEventListener("error", () => {
        // A refusal ends it for good; a line that breaks is tried again by the browser itself.
        if (source?.readyState === EventSource.CLOSED) timer = setTimeout(listen, againMs);
      });
    };
    listen();
    document.addEventListener("visibilitychange", listen);
    return () => {
      document.removeEventListener("visibilitychange", listen);
      clearTimeout(changed);
      close();
    };
  }, [wanted]);
}

/** How many clips wait for a case is counted quickly; what the other roles are shown is not (useOverview). */
function isOfHandler(data: unknown): boolean {
  return typeof data === "object" && data !== null && "handler" in data;
}

function pagesOf(data: unknown): number {
  return typeof data === "object" && data !== null && "pages" in data && Array.isArray(data.pages)
    ? data.pages.length
    : 0;
}

/** Whether the data is a case that shows one of these clips. */
function holdsAny(data: unknown, clipIds: ReadonlySet<unknown>): boolean {
  const clips = typeof data === "object" && data !== null && "clips" in data ? data.clips : undefined;
  return Array.isArray(clips) && (clips as { id: string }[]).some(({ id }) => clipIds.has(id));
}
