import { useQuery } from "@tanstack/react-query";
import { Empty, Spin } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "wouter";
import { api, asked } from "../api/client.ts";
import type { Overview } from "../api/types.ts";
import { ClipCard } from "../clips/clip-card.tsx";
import { FindingsList } from "../recorders/findings-list.tsx";
import { Panel } from "../shared/panel.tsx";
import { ProblemNotice } from "../shared/problem-notice.tsx";
import { Figures, numberText } from "./figures.tsx";

const states = ["received", "hashed", "sealed", "quarantined"] as const;

export function SupervisorHome({ figures }: { figures: NonNullable<Overview["supervisor"]> }): ReactNode {
  const { t } = useTranslation();
  const [search, setSearch] = useSearchParams();
  const open = Object.values(figures.openFindings).reduce((sum, count) => sum + count, 0);
  return (
    <>
      <Figures
        label={t("home.figures")}
        figures={[
          ...states.map((state) => {
            const count = figures.clipStates[state] ?? 0;
            return {
              name: t(`state.${state}`),
              value: numberText(count),
              hint: t(`stateHint.${state}`),
              path: `/clips?state=${state}`,
              ...(state === "quarantined" && count > 0 && { tone: "bad" as const }),
            };
          }),
          {
            name: t("home.openFindings"),
            value: numberText(open),
            hint: t("home.findings"),
            path: "/",
            ...(open > 0 && { tone: "open" as const }),
          },
        ]}
      />
      <div className="home-columns">
        <Panel
          title={t("home.newest")}
          name="newest-panel"
          extra={<Link href="/clips?view=wall">{t("home.all")}</Link>}
        >
          <Newest />
        </Panel>
        <Panel title={t("home.findings")} name="findings-panel">
          <FindingsList
            counts={figures.openFindings}
            kind={search.get("kind")}
            state={search.get("state")}
            onFilter={(wanted) => setSearch(wanted, { replace: true })}
          />
        </Panel>
      </div>
    </>
  );
}

/** Fills rows of three and of four. */
const shown = 12;

/** What arrives meanwhile appears here too (live.ts). */
function Newest(): ReactNode {
  const { t } = useTranslation();
  const { data, error, refetch } = useQuery({
    queryKey: ["clips", "newest"],
    queryFn: () => asked(api.GET("/api/v1/clips", { params: { query: { limit: shown } } })),
  });
  if (error !== null) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <Spin />;
  if (data.items.length === 0) {
    return <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t("home.noClips")} />;
  }
  return (
    <ul className="newest">
      {data.items.map((clip) => (
        <li key={clip.id}>
          <ClipCard clip={clip} />
        </li>
      ))}
    </ul>
  );
}
