import { useQuery } from "@tanstack/react-query";
import { api, asked } from "../api/client.ts";

/** For an auditor the figures are counted over the whole log: not more often, and only while somebody looks. */
const everyMs = 30_000;

/** The figures of the role of whoever is signed in. */
export function useOverview() {
  return useQuery({
    queryKey: ["overview"],
    queryFn: () => asked(api.GET("/api/v1/overview")),
    staleTime: everyMs,
    refetchInterval: everyMs,
  });
}
