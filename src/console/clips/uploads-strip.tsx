import { CloudUploadOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { Button } from "antd";
import { type ReactNode, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, asked } from "../api/client.ts";
import type { Upload } from "../api/types.ts";
import { shanghaiTime, sizeText } from "../format.ts";

const whileRunningMs = 2_500;
/** How soon a new one is noticed. */
const whileNoneMs = 10_000;
const most = 50;
const shownAtOnce = 3;

/** The uploads that are under way, while there are any. One that is complete is a clip, and appears in the list. */
export function UploadsStrip(): ReactNode {
  const { t } = useTranslation();
  const [all, setAll] = useState(false);
  const { data } = useQuery({
    queryKey: ["uploads"],
    queryFn: () => asked(api.GET("/api/v1/uploads", { params: { query: { limit: most } } })),
    staleTime: whileRunningMs,
    refetchInterval: ({ state }) => ((state.data?.items.length ?? 0) > 0 ? whileRunningMs : whileNoneMs),
  });
  // What it cannot be told is no reason to disturb: the list below says what is wrong.
  const uploads = data?.items ?? [];
  if (uploads.length === 0) return null;
  const shown = all ? uploads : uploads.slice(0, shownAtOnce);
  const rest = uploads.length - shownAtOnce;
  return (
    <section className="sheet uploads" aria-label={t("uploads.title")}>
      <span className="uploads-head">
        <CloudUploadOutlined aria-hidden />{" "}
        {t("uploads.count", { number: data?.next === undefined ? uploads.length : `${most}+` })}
      </span>
      <ul>
        {shown.map((upload) => (
          <Running key={upload.id} upload={upload} />
        ))}
      </ul>
      {rest > 0 && (
        <Button type="link" size="small" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? t("uploads.fewer") : t("uploads.more", { number: rest })}
        </Button>
      )}
    </section>
  );
}

function Running({ upload }: { upload: Upload }): ReactNode {
  const { t } = useTranslation();
  const { fileName, stationName, recorderSerial, sizeBytes, offsetBytes } = upload;
  const percent = Math.floor((offsetBytes / sizeBytes) * 100);
  // Between two requests of a station nothing comes in for a moment: it counts as receiving while it gets on.
  const before = useRef(offsetBytes);
  const gotOn = offsetBytes > before.current;
  before.current = offsetBytes;
  const state = offsetBytes === sizeBytes ? "complete" : upload.receiving || gotOn ? "receiving" : "waiting";
  const hint = state === "waiting" ? t("uploads.waitingHint", { time: shanghaiTime(upload.expiresAt) }) : "";
  return (
    <li className="upload" data-upload={fileName} data-state={state}>
      <span className="upload-name" title={`${fileName} · ${sizeText(sizeBytes)}`}>
        {fileName}
      </span>
      <span className="quiet upload-from">{t("uploads.from", { station: stationName, recorder: recorderSerial })}</span>
      <progress max={100} value={percent} aria-label={t("uploads.progress", { name: fileName })} />
      <span className="upload-percent">{percent}%</span>
      <span className={state === "waiting" ? "open" : "quiet"} title={hint}>
        {t(`uploads.${state}`)}
      </span>
    </li>
  );
}
