import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { caseQuery } from "./case-query.ts";

/** Leads to a case, by its number. */
export function CaseLink({ id }: { id: string }): ReactNode {
  const { data } = useQuery(caseQuery(id));
  return <Link href={`/cases/${id}`}>{data?.number ?? "…"}</Link>;
}
