import { PlusOutlined } from "@ant-design/icons";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Button, Empty, Input, Spin } from "antd";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "wouter";
import { api, asked } from "../api/client.ts";
import { shanghaiTime } from "../format.ts";
import { mayBind, useSignedIn } from "../session.ts";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import { CreateCaseDialog } from "./create-case.tsx";

const pageSize = 100;

export default function CasesPage(): ReactNode {
  const { t } = useTranslation();
  const { role } = useSignedIn();
  const [search, setSearch] = useSearchParams();
  const [creating, setCreating] = useState(false);
  const number = search.get("number") ?? "";
  const list = useInfiniteQuery({
    queryKey: ["cases", "list", number],
    queryFn: ({ pageParam }) => {
      const query = { limit: pageSize, ...(number === "" ? {} : { number }) };
      const cursor = pageParam === undefined ? {} : { cursor: pageParam };
      return asked(api.GET("/api/v1/cases", { params: { query: { ...query, ...cursor } } }));
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
  });
  const files = list.data?.pages.flatMap((page) => page.items);
  return (
    <div className="page">
      <div className="page-head">
        <h1>{t("cases.title")}</h1>
      </div>
      <search className="filters">
        <Input.Search
          className="filter-number"
          aria-label={t("cases.find")}
          placeholder={t("cases.find")}
          allowClear
          defaultValue={number}
          maxLength={100}
          onSearch={(text) => setSearch(text.trim() === "" ? {} : { number: text.trim() }, { replace: true })}
        />
        {mayBind(role) && (
          <span className="filters-end">
            <Button type="primary" icon={<PlusOutlined />} onClick={() => setCreating(true)}>
              {t("cases.create")}
            </Button>
          </span>
        )}
      </search>
      {list.error !== null && <ProblemNotice error={list.error} />}
      {files === undefined && list.error === null && <Spin className="waiting" />}
      {files !== undefined && (
        <div className="sheet">
          <table className="plain-table">
            <thead>
              <tr>
                <th scope="col">{t("cases.number")}</th>
                <th scope="col">{t("cases.caseTitle")}</th>
                <th scope="col" className="number">
                  {t("casework.clipCount")}
                </th>
                <th scope="col">{t("cases.created")}</th>
              </tr>
            </thead>
            <tbody>
              {files.map((file) => (
                <tr key={file.id}>
                  <td>
                    <Link href={`/cases/${file.id}`}>{file.number}</Link>
                  </td>
                  <td>{file.title ?? "–"}</td>
                  <td className="number">{file.clipCount}</td>
                  <td>{shanghaiTime(file.createdAt)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {files.length === 0 && (
            <Empty
              image={Empty.PRESENTED_IMAGE_SIMPLE}
              description={number === "" ? t("cases.empty") : t("cases.emptyFound")}
            />
          )}
          {list.hasNextPage && (
            <div className="more">
              <Button loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
                {t("casework.more")}
              </Button>
            </div>
          )}
        </div>
      )}
      {creating && <CreateCaseDialog number={number} onClose={() => setCreating(false)} />}
    </div>
  );
}
