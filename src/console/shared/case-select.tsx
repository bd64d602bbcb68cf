import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Select } from "antd";
import { type ReactNode, useDeferredValue, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, asked } from "../api/client.ts";
import { caseQuery } from "./case-query.ts";

interface Given {
  /** An id, or where cases may be opened, what {@link newCaseNumber} reads. */
  readonly value?: string | undefined;
  readonly onChange?: (caseId: string | undefined) => void;
  readonly className?: string;
  readonly id?: string;
  readonly autoFocus?: boolean;
  readonly onChosen?: (caseId: string) => void;
  /** Offers to open a case of the number that was typed, when there is none. */
  readonly mayOpen?: boolean;
}

const prefix = "new:";

/** The number of the case that is to be opened; undefined for the id of one that is there. */
export function newCaseNumber(value: string | undefined): string | undefined {
  return value?.startsWith(prefix) ? value.slice(prefix.length) : undefined;
}

/** A case, found by a part of its number or title. */
export function CaseSelect({ value, onChange, className, id, autoFocus, onChosen, mayOpen }: Given): ReactNode {
  const { t } = useTranslation();
  const [typed, setTyped] = useState("");
  const number = useDeferredValue(typed.trim());
  const found = useQuery({
    queryKey: ["cases", "select", number],
    queryFn: () =>
      asked(api.GET("/api/v1/cases", { params: { query: { limit: 30, ...(number === "" ? {} : { number }) } } })),
    placeholderData: keepPreviousData,
  });
  const files = found.data?.items ?? [];
  const options = files
    .map((file) => ({
      value: file.id,
      label: file.title === null ? file.number : `${file.number} ${file.title}`,
      exact: file.number === typed.trim(),
    }))
    // What was found for what was typed before must not be chosen by a quick Enter.
    .filter(({ label }) => label.includes(typed.trim()))
    .toSorted((a, b) => Number(b.exact) - Number(a.exact));
  const wanted = typed.trim() || newCaseNumber(value);
  if (mayOpen === true && wanted !== undefined && !files.some((file) => file.number === wanted)) {
    options.push({ value: prefix + wanted, label: t("tray.openCase", { number: wanted }), exact: false });
  }
  const chosen = useQuery({
    ...caseQuery(value),
    enabled:
      value !== undefined &&
      newCaseNumber(value) === undefined &&
      typed === "" &&
      !options.some((option) => option.value === value),
  });
  const known = chosen.data;
  if (known !== undefined && typed === "" && !options.some((option) => option.value === known.id)) {
    options.unshift({ value: known.id, label: known.number, exact: false });
  }
  return (
    <Select
      {...(id === undefined ? {} : { id })}
      aria-label={t("clips.case")}
      className={className}
      allowClear
      autoFocus={autoFocus === true}
      showSearch={{ filterOption: false, onSearch: setTyped }}
      placeholder={mayOpen === true ? t("tray.caseHint") : t("clips.caseSearch")}
      value={value ?? null}
      options={options}
      loading={found.isFetching}
      onChange={(caseId) => onChange?.(caseId ?? undefined)}
      onSelect={(caseId) => caseId !== null && onChosen?.(caseId)}
    />
  );
}
