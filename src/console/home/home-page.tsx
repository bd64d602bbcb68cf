import { ReloadOutlined } from "@ant-design/icons";
import { Button, Spin } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { shanghaiTime } from "../format.ts";
import { useSignedIn } from "../session.ts";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import { useOverview } from "../shared/use-overview.ts";
import { AdministratorHome } from "./administrator-home.tsx";
import { AuditorHome } from "./auditor-home.tsx";
import { SupervisorHome } from "./supervisor-home.tsx";

/** What each role looks at first. */
export default function HomePage(): ReactNode {
  const { t } = useTranslation();
  const { displayName, role } = useSignedIn();
  const { data, error, dataUpdatedAt, isFetching, refetch } = useOverview();
  return (
    <div className="page home-page">
      <div className="page-head">
        <h1>{t("home.title")}</h1>
        <span className="quiet">
          {displayName} · {t(`role.${role}`)}
        </span>
        <span className="page-head-end quiet">
          {data !== undefined && (
            <span role="status">{t("home.updated", { time: shanghaiTime(dataUpdatedAt).slice(11) })}</span>
          )}
          <Button icon={<ReloadOutlined />} loading={isFetching} onClick={() => void refetch()}>
            {t("clips.refresh")}
          </Button>
        </span>
      </div>
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {data === undefined && error === null && <Spin className="waiting" />}
      {data?.supervisor !== undefined && <SupervisorHome figures={data.supervisor} />}
      {data?.auditor !== undefined && <AuditorHome figures={data.auditor} />}
      {data?.administrator !== undefined && <AdministratorHome figures={data.administrator} />}
    </div>
  );
}
