import { AutoComplete, Button, Form, Input } from "antd";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { CaseFile, Clip } from "../api/types.ts";
import { needed, offered, useSuggestions } from "../shared/annotations.ts";
import { CaseSelect, newCaseNumber } from "../shared/case-select.tsx";
import { ClipPicture } from "../shared/clip-tags.tsx";
import { Dialog } from "../shared/dialog.tsx";
import { ProblemNotice, wordsOf } from "../shared/problem-notice.tsx";
import { bindMany, caseFor, type Outcome, type SaidOfAll } from "./bind-many.ts";
import { BindResults } from "./bind-results.tsx";
import { FactsOfAll } from "./facts-of-all.tsx";
import { inCommon } from "./in-common.ts";

interface Given {
  readonly clips: readonly Clip[];
  /** @param failures why, by id of each clip that is not bound now; undefined when nothing was tried. */
  readonly onClose: (failures: ReadonlyMap<string, string> | undefined) => void;
}

/** Binds clips to a case, with the five annotations: what differs each keeps, what is said of all is typed once. */
export function BindDialog({ clips, onClose }: Given): ReactNode {
  const { t, i18n } = useTranslation();
  const [form] = Form.useForm<SaidOfAll>();
  /** Those that are still to be bound: after a try, those that failed. */
  const [wanted, setWanted] = useState(clips);
  const [outcomes, setOutcomes] = useState<ReadonlyMap<string, Outcome>>(new Map());
  const [step, setStep] = useState<"asking" | "running" | "over">("asking");
  const [file, setFile] = useState<CaseFile>();
  const [refused, setRefused] = useState<Error>();
  const run = async (said: SaidOfAll): Promise<void> => {
    setStep("running");
    setRefused(undefined);
    try {
      const found = await caseFor(said);
      setFile(found);
      form.setFieldValue("caseId", found.id);
      setOutcomes(new Map(clips.map(({ id }) => [id, outcomes.get(id) ?? { state: "waiting" }])));
      await bindMany(found, wanted, said, (id, outcome) =>
        setOutcomes((before) => new Map([...before, [id, outcome]])),
      );
      setStep("over");
    } catch (error) {
      setRefused(error instanceof Error ? error : new Error(String(error)));
      setStep("asking");
    }
  };
  const failures = new Map<string, string>();
  for (const [id, outcome] of outcomes) {
    if (outcome.state === "failed") failures.set(id, failureWords(outcome));
  }
  function failureWords({ error, otherCaseId }: Extract<Outcome, { state: "failed" }>): string {
    if (otherCaseId !== "") return t("tray.failedElsewhere");
    const [title, advice] = wordsOf(error, t, i18n.language);
    return t("tray.failed", { title, advice });
  }
  const close = (): void => {
    // What runs is not left alone: its results would be seen by nobody.
    if (step !== "running") onClose(outcomes.size === 0 ? undefined : failures);
  };
  return (
    <Dialog
      width={880}
      className="bind-dialog"
      title={step === "asking" ? t("tray.bindCount", { count: wanted.length }) : t("tray.results")}
      footer={null}
      mask={{ closable: false }}
      onCancel={close}
    >
      {step !== "asking" && file !== undefined ? (
        <BindResults
          {...{ clips, outcomes, failures, file }}
          running={step === "running"}
          onAgain={() => {
            setWanted(clips.filter(({ id }) => failures.has(id)));
            setStep("asking");
          }}
          onClose={close}
        />
      ) : (
        <div className="bind-columns">
          <ul className="bind-clips" aria-label={t("tray.clipsToBind")}>
            {wanted.map((clip) => (
              <li key={clip.id}>
                <ClipPicture clip={clip} />
                <span>
                  <span className="clip-name" title={clip.fileName}>
                    {clip.fileName}
                  </span>
                  <span className="quiet">{clip.capturedAtRaw}</span>
                </span>
              </li>
            ))}
          </ul>
          <Questions {...{ form, wanted, refused }} busy={step === "running"} onSaid={run} onCancel={close} />
        </div>
      )}
    </Dialog>
  );
}

interface QuestionsGiven {
  readonly form: ReturnType<typeof Form.useForm<SaidOfAll>>[0];
  readonly wanted: readonly Clip[];
  readonly refused: Error | undefined;
  readonly busy: boolean;
  readonly onSaid: (said: SaidOfAll) => Promise<void>;
  readonly onCancel: () => void;
}

function Questions({ form, wanted, refused, busy, onSaid, onCancel }: QuestionsGiven): ReactNode {
  const { t } = useTranslation();
  const caseId = Form.useWatch("caseId", form) as string | undefined;
  const opened = newCaseNumber(caseId);
  const existing = opened === undefined ? caseId : undefined;
  const before = useSuggestions(existing);
  const ofUploads = inCommon(wanted.map((clip) => clip.evidencePurpose));
  const stages = inCommon(wanted.map((clip) => clip.stage));
  const places = inCommon(wanted.map((clip) => clip.placeText));
  /** To what is to be said next. The title of a new case takes the keyboard itself, as soon as it is there. */
  const goOn = (chosen: string): void => {
    if (newCaseNumber(chosen) === undefined) form.focusField("evidencePurpose");
  };
  return (
    <Form
      form={form}
      layout="vertical"
      requiredMark={false}
      disabled={busy}
      initialValues={{ evidencePurpose: ofUploads.same ?? "", stage: stages.same ?? "" }}
      onFinish={(said) => void onSaid(said)}
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.submit();
      }}
    >
      <Form.Item name="caseId" label={t("binding.case")} rules={[{ required: true, message: t("binding.caseNeeded") }]}>
        <CaseSelect autoFocus mayOpen onChosen={goOn} />
      </Form.Item>
      {opened !== undefined && (
        <Form.Item name="caseTitle" label={t("tray.newCaseTitle", { number: opened })}>
          <Input maxLength={200} autoFocus />
        </Form.Item>
      )}
      <Form.Item name="evidencePurpose" label={t("binding.purpose")} rules={needed(t("binding.purposeNeeded"))}>
        <AutoComplete {...offered(before?.evidencePurposes, ofUploads.values)} maxLength={1000} />
      </Form.Item>
      <Form.Item name="stage" label={t("tray.stage")}>
        <AutoComplete
          {...offered(before?.stages, stages.values)}
          maxLength={100}
          placeholder={stages.values.length > 0 ? t("tray.each") : ""}
        />
      </Form.Item>
      <FactsOfAll clips={wanted} />
      {places.missing > 0 && (
        <Form.Item
          name="missingPlace"
          label={t("tray.missingPlace", { count: places.missing })}
          rules={needed(t("binding.placeNeeded"))}
        >
          <AutoComplete {...offered(places.values)} maxLength={500} />
        </Form.Item>
      )}
      {refused !== undefined && <ProblemNotice error={refused} />}
      <div className="dialog-end">
        <Button onClick={onCancel}>{t("cases.cancel")}</Button>
        <Button type="primary" htmlType="submit" loading={busy}>
          {t("binding.save")}
        </Button>
      </div>
    </Form>
  );
}
