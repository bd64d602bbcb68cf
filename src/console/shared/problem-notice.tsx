import { Alert, Button } from "antd";
import type { TFunction } from "i18next";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { NoAnswer, Problem } from "../api/problem.ts";
import { problemWords } from "../words/problems.ts";

/** What went wrong, what to do about it, and what to tell the administrator. */
export function ProblemNotice({ error, onRetry }: { error: Error; onRetry?: () => void }): ReactNode {
  const { t, i18n } = useTranslation();
  const [title, advice] = wordsOf(error, t, i18n.language);
  const detail = error instanceof Problem ? error.detail : "";
  return (
    <Alert
      type="error"
      showIcon
      title={title}
      description={
        <>
          <div>{advice}</div>
          {detail !== "" && <div className="quiet">{detail}</div>}
          {error instanceof Problem && error.status >= 500 && error.requestId !== "" && (
            <div className="quiet">
              {t("problem.request")} <code>{error.requestId}</code>
            </div>
          )}
        </>
      }
      action={onRetry !== undefined && <Button onClick={onRetry}>{t("problem.retry")}</Button>}
    />
  );
}

/** What went wrong in a few words, and what to do about it. */
export function wordsOf(error: Error, t: TFunction, language: string): [title: string, advice: string] {
  if (error instanceof NoAnswer) return [t("problem.noAnswer"), t("problem.noAnswerAdvice")];
  if (!(error instanceof Problem)) return [t("problem.unknown"), error.message];
  const { title, advice } = problemWords(error.code, language) ?? error;
  return [title, advice];
}
