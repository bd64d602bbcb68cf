import { useInfiniteQuery } from "@tanstack/react-query";
import { api, asked } from "../api/client.ts";
import type { ListedClip } from "../api/types.ts";
import { type Filter, queryOf } from "./filter.ts";

const pageSize = 100;

/** The clips of a filter, newest first, page by page as somebody scrolls. */
export function useClips(filter: Filter) {
  const query = queryOf(filter);
  const { data, ...rest } = useInfiniteQuery({
    queryKey: ["clips", query],
    queryFn: ({ pageParam }) => {
      const cursor = pageParam === undefined ? {} : { cursor: pageParam };
      return asked(api.GET("/api/v1/clips", { params: { query: { ...query, ...cursor, limit: pageSize } } }));
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next,
  });
  const clips: ListedClip[] | undefined = data?.pages.flatMap((page) => page.items);
  return { clips, ...rest };
}
