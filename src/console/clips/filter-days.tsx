import { Input } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

interface Given {
  readonly label: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly onFrom: (day: string | undefined) => void;
  readonly onTo: (day: string | undefined) => void;
}

/** From one day to another, both included. The browser's own fields: each knows its keyboard. */
export function FilterDays({ label, from, to, onFrom, onTo }: Given): ReactNode {
  const { t } = useTranslation();
  const field = (
    name: string,
    value: string | undefined,
    onChange: (day: string | undefined) => void,
    bounds: { min?: string | undefined; max?: string | undefined },
  ): ReactNode => (
    <Input
      type="date"
      className="filter-day"
      aria-label={name}
      value={value ?? ""}
      min={bounds.min ?? "1900-01-01"}
      max={bounds.max ?? "9999-12-30"}
      onChange={({ target }) => onChange(target.value === "" ? undefined : target.value)}
    />
  );
  return (
    <span className="filter-days">
      <span aria-hidden>{label}</span>
      {field(t("filters.from", { what: label }), from, onFrom, { max: to })}
      <span aria-hidden>–</span>
      {field(t("filters.to", { what: label }), to, onTo, { min: from })}
    </span>
  );
}
