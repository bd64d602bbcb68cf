import { AppstoreOutlined, BarsOutlined, FilterOutlined, ReloadOutlined } from "@ant-design/icons";
import { Button, Segmented, Select } from "antd";
import { type ReactNode, useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { clipStates, type Filter, type FilterName, hiddenFilters, textForm, type View, withFilter } from "./filter.ts";
import { FilterChips } from "./filter-chips.tsx";
import { FilterDays } from "./filter-days.tsx";
import { FilterInput } from "./filter-input.tsx";
import { MoreFilters } from "./more-filters.tsx";

interface Given {
  readonly filter: Filter;
  readonly onChange: (filter: Filter) => void;
  readonly onRefresh: () => void;
  readonly busy: boolean;
}

/** The filters that are used most; the others come when they are asked for. What filters stands below as chips. */
export function FilterBar({ filter, onChange, onRefresh, busy }: Given): ReactNode {
  const { t } = useTranslation();
  const [more, setMore] = useState(false);
  const id = useId();
  const set = <N extends FilterName>(name: N, value: Filter[N] | undefined): void =>
    onChange(withFilter(filter, name, value));
  const states = clipStates.map((state) => ({ value: state, label: t(`state.${state}`) }));
  const bound = { all: t("clips.anyBinding"), unbound: t("clips.unbound"), bound: t("clips.bound") };
  const hidden = hiddenFilters(filter);
  return (
    <search className="filter-area" aria-label={t("clips.filters")}>
      <div className="filters">
        <FilterInput
          className="filter-text"
          search
          label={t("filters.text")}
          hint={t("filters.text")}
          wrong={t("filters.textShort")}
          form={textForm}
          value={filter.text}
          onChange={(text) => set("text", text)}
        />
        <Segmented
          aria-label={t("clips.binding")}
          value={filter.unbound === undefined ? "all" : filter.unbound ? "unbound" : "bound"}
          options={Object.entries(bound).map(([value, label]) => ({ value, label }))}
          onChange={(value) => set("unbound", value === "all" ? undefined : value === "unbound")}
        />
        <Select
          aria-label={t("clips.state")}
          className="filter-state"
          allowClear
          placeholder={t("clips.anyState")}
          value={filter.state ?? null}
          options={states}
          onChange={(state) => set("state", state ?? undefined)}
        />
        <FilterDays
          label={t("filters.captured")}
          from={filter.capturedFrom}
          to={filter.capturedTo}
          onFrom={(day) => set("capturedFrom", day)}
          onTo={(day) => set("capturedTo", day)}
        />
        <Button icon={<FilterOutlined />} aria-expanded={more} aria-controls={id} onClick={() => setMore(!more)}>
          {hidden > 0 ? t("filters.moreActive", { count: hidden }) : t("filters.more")}
        </Button>
        <span className="filters-end">
          <Segmented<View>
            aria-label={t("clips.view")}
            value={filter.view}
            options={[
              { value: "table", icon: <BarsOutlined aria-hidden />, label: t("clips.table") },
              { value: "wall", icon: <AppstoreOutlined aria-hidden />, label: t("clips.wall") },
            ]}
            onChange={(view) => onChange({ ...filter, view })}
          />
          <Button
            icon={<ReloadOutlined />}
            loading={busy}
            onClick={onRefresh}
            aria-label={t("clips.refresh")}
            title={t("clips.refresh")}
          />
        </span>
      </div>
      <div id={id} hidden={!more} className="sheet more-filters">
        {more && <MoreFilters filter={filter} set={set} onClose={() => setMore(false)} />}
      </div>
      <FilterChips filter={filter} onChange={onChange} />
    </search>
  );
}
