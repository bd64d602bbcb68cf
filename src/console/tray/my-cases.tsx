import { Spin } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { shanghaiTime } from "../format.ts";
import { Panel } from "../shared/panel.tsx";
import { useOverview } from "../shared/use-overview.ts";

/** The newest cases that the handler opened. */
export function MyCases(): ReactNode {
  const { t } = useTranslation();
  const overview = useOverview();
  const files = overview.data?.handler?.newestCases;
  // Of another role the overview tells no cases.
  if (overview.data !== undefined && files === undefined) return null;
  return (
    <Panel title={t("tray.myCases")} name="my-cases" extra={<Link href="/cases">{t("tray.allCases")}</Link>}>
      {files === undefined && <Spin />}
      {files?.length === 0 && <span className="quiet">{t("tray.noCases")}</span>}
      <ul>
        {files?.map((file) => (
          <li key={file.id}>
            <Link href={`/cases/${file.id}`}>{file.number}</Link>
            {file.title !== null && <div className="my-case-title">{file.title}</div>}
            <div className="quiet">{shanghaiTime(file.createdAt).slice(0, 16)}</div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
