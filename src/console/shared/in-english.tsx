import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

/** What the server says of a fault, which it says in English alone: there for whoever looks after it. */
export function InEnglish({ text }: { text: string }): ReactNode {
  const { t } = useTranslation();
  return (
    <details>
      <summary>{t("home.inEnglish")}</summary>
      <span lang="en">{text}</span>
    </details>
  );
}
