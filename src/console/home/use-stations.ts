import { useQuery } from "@tanstack/react-query";
import { api, asked } from "../api/client.ts";
import { useSignedIn } from "../session.ts";

/** The organization's docking stations. A handler may not ask for them, and gets none. */
export function useStations() {
  const { role } = useSignedIn();
  return useQuery({
    queryKey: ["stations"],
    queryFn: () => asked(api.GET("/api/v1/stations")),
    enabled: role !== "handler",
    staleTime: 30_000,
  });
}
