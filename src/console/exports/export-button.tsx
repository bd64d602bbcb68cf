import { ExportOutlined } from "@ant-design/icons";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { App as AntApp, Button } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { api, asked } from "../api/client.ts";
import { ProblemNotice } from "../shared/problem-notice.tsx";

/** Of what an export is: a whole case, or one clip. */
export type ExportSubject = { readonly caseId: string } | { readonly clipId: string };

/** Asks for an export, and leads to its page. */
export function ExportButton({ of, disabled = false }: { of: ExportSubject; disabled?: boolean }): ReactNode {
  const { t } = useTranslation();
  const { modal } = AntApp.useApp();
  const [, go] = useLocation();
  const client = useQueryClient();
  const request = useMutation({
    mutationFn: () =>
      "caseId" in of
        ? asked(api.POST("/api/v1/cases/{id}/exports", { params: { path: { id: of.caseId } } }))
        : asked(api.POST("/api/v1/clips/{id}/exports", { params: { path: { id: of.clipId } } })),
    onSuccess: (made) => {
      void client.invalidateQueries({ queryKey: ["exports"] });
      go(`/exports/${made.id}`);
    },
    onError: (error) => modal.error({ content: <ProblemNotice error={error} /> }),
  });
  return (
    <Button icon={<ExportOutlined />} disabled={disabled} loading={request.isPending} onClick={() => request.mutate()}>
      {"caseId" in of ? t("exports.ofCase") : t("exports.ofClip")}
    </Button>
  );
}
