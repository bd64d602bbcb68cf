import { useQuery } from "@tanstack/react-query";
import { Button, Tag } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { shortened } from "../format.ts";
import { useStations } from "../home/use-stations.ts";
import { caseQuery } from "../shared/case-query.ts";
import { activeFilters, type Filter, type FilterName, withFilter } from "./filter.ts";

/** Everything that filters, in words; each can be taken away. */
export function FilterChips({ filter, onChange }: { filter: Filter; onChange: (filter: Filter) => void }): ReactNode {
  const { t } = useTranslation();
  const names = activeFilters(filter);
  const said = useChipWords(filter);
  if (names.length === 0) return null;
  return (
    <div className="chips">
      <span className="quiet">{t("filters.active")}</span>
      {names.map((name) => (
        <Tag
          key={name}
          className="chip"
          closable={{ "aria-label": t("filters.remove", { what: said(name) }) }}
          onClose={(event) => {
            event.preventDefault();
            onChange(withFilter(filter, name, undefined));
          }}
        >
          {said(name)}
        </Tag>
      ))}
      <Button type="link" size="small" onClick={() => onChange({ view: filter.view })}>
        {t("clips.clear")}
      </Button>
    </div>
  );
}

function useChipWords(filter: Filter): (name: FilterName) => string {
  const { t } = useTranslation();
  const stations = useStations();
  const { data: file } = useQuery(caseQuery(filter.case));
  const chip = (name: string, value: string | undefined): string => t("filters.chip", { name, value: value ?? "" });
  const from = (what: string, date?: string): string => chip(what, t("filters.since", { date }));
  const to = (what: string, date?: string): string => chip(what, t("filters.until", { date }));
  return (name) => {
    switch (name) {
      case "text":
        return `“${filter.text}”`;
      case "unbound":
        return chip(t("clips.binding"), filter.unbound ? t("clips.unbound") : t("clips.bound"));
      case "state":
        return chip(t("clips.state"), filter.state && t(`state.${filter.state}`));
      case "kind":
        return chip(t("filters.kind"), filter.kind && t(`kind.${filter.kind}`));
      case "capturedFrom":
        return from(t("filters.captured"), filter.capturedFrom);
      case "capturedTo":
        return to(t("filters.captured"), filter.capturedTo);
      case "receivedFrom":
        return from(t("filters.received"), filter.receivedFrom);
      case "receivedTo":
        return to(t("filters.received"), filter.receivedTo);
      case "recorder":
        return chip(t("filters.recorder"), filter.recorder);
      case "collector":
        return chip(t("filters.collector"), filter.collector);
      case "station": {
        const station = stations.data?.items.find(({ id }) => id === filter.station);
        return chip(t("filters.station"), station?.name ?? shortened(filter.station ?? ""));
      }
      case "important":
        return filter.important ? t("filters.onlyImportant") : t("filters.notImportant");
      case "playable":
        return filter.playable ? t("filters.onlyPlayable") : t("filters.notPlayable");
      case "case":
        return chip(t("clips.case"), file?.number ?? shortened(filter.case ?? ""));
      case "sha256":
        return chip("SHA-256", shortened(filter.sha256 ?? ""));
    }
  };
}
