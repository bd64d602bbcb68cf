import { queries } from "../session.ts";

/** Everything that shows bindings is asked for again. */
export function bindingsChanged(): void {
  for (const what of ["clips", "clip", "custody", "cases", "overview", "suggestions"]) {
    void queries.invalidateQueries({ queryKey: [what] });
  }
}
