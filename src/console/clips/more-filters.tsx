import { Button, Select } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useStations } from "../home/use-stations.ts";
import { CaseSelect } from "../shared/case-select.tsx";
import { clipKinds, codeForm, type Filter, type FilterName, sha256Form } from "./filter.ts";
import { FilterDays } from "./filter-days.tsx";
import { FilterInput } from "./filter-input.tsx";

interface Given {
  readonly filter: Filter;
  readonly set: <N extends FilterName>(name: N, value: Filter[N] | undefined) => void;
  readonly onClose: () => void;
}

/** The filters that are not needed every day. */
export function MoreFilters({ filter, set, onClose }: Given): ReactNode {
  const { t } = useTranslation();
  const stations = useStations();
  const yesOrNo = (name: "important" | "playable", labels: readonly [any: string, yes: string, no: string]) => (
    <Select
      aria-label={t(`filters.${name}`)}
      value={filter[name] ?? null}
      options={[
        { value: null, label: labels[0] },
        { value: true, label: labels[1] },
        { value: false, label: labels[2] },
      ]}
      onChange={(value) => set(name, value ?? undefined)}
    />
  );
  const code = (name: "recorder" | "collector"): ReactNode => (
    <FilterInput
      label={t(`filters.${name}`)}
      hint={t(`filters.${name}Hint`)}
      wrong={t(`filters.${name}Hint`)}
      form={codeForm}
      value={filter[name]}
      onChange={(value) => set(name, value)}
    />
  );
  return (
    <>
      <Named name={t("filters.kind")}>
        <Select
          aria-label={t("filters.kind")}
          allowClear
          placeholder={t("filters.anyKind")}
          value={filter.kind ?? null}
          options={clipKinds.map((kind) => ({ value: kind, label: t(`kind.${kind}`) }))}
          onChange={(kind) => set("kind", kind ?? undefined)}
        />
      </Named>
      <Named name={t("filters.recorder")}>{code("recorder")}</Named>
      <Named name={t("filters.collector")}>{code("collector")}</Named>
      {stations.data !== undefined && (
        <Named name={t("filters.station")}>
          <Select
            aria-label={t("filters.station")}
            allowClear
            showSearch={{ optionFilterProp: "label" }}
            placeholder={t("filters.anyStation")}
            value={filter.station ?? null}
            options={stations.data.items.map(({ id, name, number }) => ({ value: id, label: `${name} ${number}` }))}
            onChange={(station) => set("station", station ?? undefined)}
          />
        </Named>
      )}
      <Named name={t("clips.case")}>
        <CaseSelect value={filter.case} onChange={(id) => set("case", id)} />
      </Named>
      <Named name={t("filters.important")}>
        {yesOrNo("important", [t("filters.anyImportant"), t("filters.onlyImportant"), t("filters.notImportant")])}
      </Named>
      <Named name={t("filters.playable")}>
        {yesOrNo("playable", [t("filters.anyPlayable"), t("filters.onlyPlayable"), t("filters.notPlayable")])}
      </Named>
      <Named name={t("clips.sha256")}>
        <FilterInput
          label={t("clips.sha256")}
          hint={t("clips.sha256Hint")}
          wrong={t("clips.sha256Wrong")}
          form={sha256Form}
          value={filter.sha256}
          onChange={(sha256) => set("sha256", sha256)}
        />
      </Named>
      <FilterDays
        label={t("filters.received")}
        from={filter.receivedFrom}
        to={filter.receivedTo}
        onFrom={(day) => set("receivedFrom", day)}
        onTo={(day) => set("receivedTo", day)}
      />
      <Button type="link" className="more-filters-close" onClick={onClose}>
        {t("filters.close")}
      </Button>
    </>
  );
}

function Named({ name, children }: { name: string; children: ReactNode }): ReactNode {
  return (
    <span className="named-filter">
      <span aria-hidden>{name}</span>
      {children}
    </span>
  );
}
