import { queryOptions } from "@tanstack/react-query";
import { api, asked } from "../api/client.ts";

/** One case, with its clips and bindings. Not asked for while there is no id. */
export const caseQuery = (id: string | undefined) =>
  queryOptions({
    queryKey: ["cases", id],
    queryFn: () => asked(api.GET("/api/v1/cases/{id}", { params: { path: { id: id ?? "" } } })),
    enabled: id !== undefined,
  });
