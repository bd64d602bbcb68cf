import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { api, asked } from "../api/client.ts";

/** The file name of a clip of which only the id is known here. */
export function ClipName({ id }: { id: string }): ReactNode {
  const { data } = useQuery({
    queryKey: ["clip", id],
    queryFn: () => asked(api.GET("/api/v1/clips/{id}", { params: { path: { id } } })),
  });
  return data?.fileName ?? "…";
}
