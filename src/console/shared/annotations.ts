import { useQuery } from "@tanstack/react-query";
import { api, asked } from "../api/client.ts";

// What the windows have in common in which annotations of clips are typed.

/** Rules of a field that must not be empty. @param problem what is said when it is. */
export const needed = (problem: string) => [{ required: true, whitespace: true, message: problem }];

/** Properties of an AutoComplete that offers these texts, each once. Chinese has no words that begin: it finds whatever holds what was typed. */
export function offered(...texts: readonly (readonly string[] | undefined)[]) {
  return {
    options: [...new Set(texts.flatMap((some) => some ?? []))].map((value) => ({ value })),
    defaultActiveFirstOption: false,
    showSearch: {
      filterOption: (typed: string, option?: { value: string }) => option?.value.includes(typed.trim()) === true,
    },
  };
}

/** What was said before: in this case when there is one, and by oneself. */
export function useSuggestions(caseId: string | undefined) {
  const query = caseId === undefined ? {} : { case: caseId };
  return useQuery({
    queryKey: ["suggestions", caseId],
    queryFn: () => asked(api.GET("/api/v1/bindings/suggestions", { params: { query } })),
  }).data;
}
