import { Empty, Spin } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "wouter";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import { ClipList } from "./clip-list.tsx";
import { activeFilters, type Filter, filterOf, searchOf } from "./filter.ts";
import { FilterBar } from "./filter-bar.tsx";
import { UploadsStrip } from "./uploads-strip.tsx";
import { useClips } from "./use-clips.ts";

export default function ClipsPage(): ReactNode {
  const { t } = useTranslation();
  const [search, setSearch] = useSearchParams();
  const filter = filterOf(search);
  const list = useClips(filter);
  const { clips, error, hasNextPage } = list;
  const change = (wanted: Filter): void => setSearch(searchOf(wanted), { replace: true });
  return (
    <div className="page clips-page">
      <div className="page-head">
        <h1>{t("clips.title")}</h1>
        {clips !== undefined && (
          <span className="quiet" role="status">
            {t(hasNextPage ? "clips.loaded" : "clips.all", { count: clips.length })}
          </span>
        )}
      </div>
      <FilterBar filter={filter} onChange={change} onRefresh={() => void list.refetch()} busy={list.isRefetching} />
      <UploadsStrip />
      {error !== null && <ProblemNotice error={error} onRetry={() => void list.refetch()} />}
      {clips === undefined && error === null && <Spin className="waiting" />}
      {clips !== undefined && clips.length === 0 && (
        <div className="sheet clips-empty">
          <Empty
            image={Empty.PRESENTED_IMAGE_SIMPLE}
            description={
              activeFilters(filter).length > 0 ? (
                t("clips.emptyFiltered")
              ) : (
                <>
                  <div>{t("clips.empty")}</div>
                  <div className="quiet">{t("clips.emptyHint")}</div>
                </>
              )
            }
          />
        </div>
      )}
      {clips !== undefined && clips.length > 0 && (
        <ClipList
          key={filter.view}
          view={filter.view}
          clips={clips}
          hasMore={hasNextPage}
          onMore={() => {
            if (!list.isFetchingNextPage) void list.fetchNextPage();
          }}
        />
      )}
    </div>
  );
}
