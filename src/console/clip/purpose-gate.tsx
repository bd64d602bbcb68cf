import { EyeOutlined } from "@ant-design/icons";
import { Button, Input, Radio } from "antd";
import { type ReactNode, useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { ProblemNotice } from "../shared/problem-notice.tsx";

const purposes = ["handling", "review", "supervision", "complaint", "other"] as const;
type Purpose = (typeof purposes)[number];

interface Given {
  /** What stands above the question. */
  readonly head?: ReactNode;
  /** The server is being told. */
  readonly pending: boolean;
  readonly error: Error | null;
  /** What was said before and is to be said again. */
  readonly before: string;
  readonly onPurpose: (purpose: string) => void;
}

/** Asks what for. Nothing goes on until the server has noted the answer. */
export function PurposeGate({ head, pending, error, before, onPurpose }: Given): ReactNode {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState<Purpose | undefined>(() => {
    if (before === "") return undefined;
    return purposes.find((purpose) => purpose !== "other" && t(`clip.purposes.${purpose}`) === before) ?? "other";
  });
  const [own, setOwn] = useState(chosen === "other" ? before : "");
  const id = useId();
  const said = chosen === "other" ? own.trim() : chosen === undefined ? "" : t(`clip.purposes.${chosen}`);
  return (
    <section className="sheet viewing purpose" aria-labelledby={id}>
      {head}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (said !== "" && !pending) onPurpose(said);
        }}
      >
        <EyeOutlined className="purpose-sign" aria-hidden />
        <h2 id={id}>{t("clip.purposeTitle")}</h2>
        <Radio.Group
          aria-labelledby={id}
          value={chosen}
          onChange={({ target }) => setChosen(target.value as Purpose)}
          options={purposes.map((value) => ({ value, label: t(`clip.purposes.${value}`) }))}
        />
        {chosen === "other" && (
          <Input
            autoFocus
            aria-label={t("clip.otherPurpose")}
            placeholder={t("clip.otherPurpose")}
            maxLength={60}
            value={own}
            onChange={({ target }) => setOwn(target.value)}
          />
        )}
        <Button type="primary" htmlType="submit" disabled={said === ""} loading={pending}>
          {t("clip.start")}
        </Button>
        {error !== null && <ProblemNotice error={error} />}
        <p className="quiet">{t("player.purposeNote")}</p>
      </form>
    </section>
  );
}
