import { PushpinOutlined, QuestionCircleOutlined } from "@ant-design/icons";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Button, Empty, Spin } from "antd";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { api, asked } from "../api/client.ts";
import type { Clip } from "../api/types.ts";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import { useOverview } from "../shared/use-overview.ts";
import { BindDialog } from "./bind-dialog.tsx";
import { KeyHelp } from "./key-help.tsx";
import { useTrayKeys } from "./keys.ts";
import { MyCases } from "./my-cases.tsx";
import { allOrNone, chosenOnly, moved, nothingChosen, placeOf, rangeTo, toggled } from "./selection.ts";
import { TrayList } from "./tray-list.tsx";

/** The clips that wait for a case, newest first; what arrives appears by itself. */
function useTray() {
  return useInfiniteQuery({
    queryKey: ["clips", "tray"],
    queryFn: ({ pageParam }) => {
      const cursor = pageParam === undefined ? {} : { cursor: pageParam };
      return asked(api.GET("/api/v1/clips", { params: { query: { unbound: true, limit: 100, ...cursor } } }));
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next,
  });
}

/** Where a handler's day begins: what waits to be bound, and the cases that it goes to. */
export default function TrayPage(): ReactNode {
  const { t } = useTranslation();
  const [, go] = useLocation();
  const tray = useTray();
  const waiting = useOverview().data?.handler?.unboundClips;
  const [selection, setSelection] = useState(nothingChosen);
  const [failures, setFailures] = useState<ReadonlyMap<string, string>>(new Map());
  const [binding, setBinding] = useState<readonly Clip[]>();
  const [helping, setHelping] = useState(false);
  const clips: readonly Clip[] = tray.data?.pages.flatMap((page) => page.items) ?? [];
  const ids = clips.map(({ id }) => id);
  const cursor = placeOf(ids, selection);
  const chosen = clips.filter(({ id }) => selection.chosen.has(id));
  const current = clips[cursor];
  const bind = (): void => {
    // Without a choice it is the row that the keyboard is at.
    const wanted = chosen.length > 0 ? chosen : current === undefined ? [] : [current];
    if (wanted.length > 0) setBinding(wanted);
  };
  const clear = (): void => {
    setSelection((before) => chosenOnly(before, []));
    setFailures(new Map());
  };
  useTrayKeys(binding === undefined && !helping, {
    onMove: (by, extend) => setSelection((before) => moved(ids, before, by, extend)),
    onToggle: () => setSelection((before) => toggled(ids, before, undefined)),
    onAll: () => setSelection((before) => allOrNone(ids, before)),
    onNone: clear,
    onBind: bind,
    onOpen: () => current !== undefined && go(`/clips/${current.id}`),
    onHelp: () => setHelping(true),
  });
  return (
    <div className="page clips-page tray-page">
      <div className="page-head">
        <h1>{t("tray.title")}</h1>
        {tray.data !== undefined && (
          <span className="quiet" role="status">
            {chosen.length > 0
              ? t("tray.chosenOf", { count: chosen.length, all: clips.length })
              : tray.hasNextPage && waiting !== undefined
                ? t("tray.loadedOf", { count: clips.length, all: waiting })
                : t("tray.waiting", { count: clips.length })}
          </span>
        )}
        <span className="page-head-end">
          {chosen.length > 0 && (
            <Button type="text" onClick={clear}>
              {t("tray.clear")}
            </Button>
          )}
          <Button disabled={clips.length === 0} onClick={() => setSelection((before) => allOrNone(ids, before))}>
            {t("tray.all")}
            <kbd>A</kbd>
          </Button>
          <Button type="primary" icon={<PushpinOutlined />} disabled={current === undefined} onClick={bind}>
            {t("tray.bind")}
            <kbd>B</kbd>
          </Button>
          <Button icon={<QuestionCircleOutlined />} onClick={() => setHelping(true)}>
            {t("tray.keys")}
            <kbd>?</kbd>
          </Button>
        </span>
      </div>
      {tray.error !== null && <ProblemNotice error={tray.error} onRetry={() => void tray.refetch()} />}
      <div className="tray-columns">
        {tray.data === undefined && tray.error === null && <Spin className="waiting" />}
        {tray.data !== undefined && clips.length === 0 && (
          <div className="sheet clips-empty">
            <Empty
              image={Empty.PRESENTED_IMAGE_SIMPLE}
              description={
                <>
                  <div>{t("tray.empty")}</div>
                  <div className="quiet">{t("tray.emptyHint")}</div>
                </>
              }
            />
          </div>
        )}
        {clips.length > 0 && (
          <TrayList
            {...{ clips, cursor, failures }}
            chosen={selection.chosen}
            hasMore={tray.hasNextPage}
            onMore={() => {
              if (!tray.isFetchingNextPage) void tray.fetchNextPage();
            }}
            onChoose={(place, extend) =>
              setSelection((before) => (extend ? rangeTo(ids, before, place) : toggled(ids, before, ids[place])))
            }
          />
        )}
        <MyCases />
      </div>
      {binding !== undefined && (
        <BindDialog
          clips={binding}
          onClose={(failed) => {
            setBinding(undefined);
            if (failed === undefined) return;
            setFailures(failed);
            setSelection((before) => chosenOnly(before, [...failed.keys()]));
          }}
        />
      )}
      {helping && <KeyHelp onClose={() => setHelping(false)} />}
    </div>
  );
}
