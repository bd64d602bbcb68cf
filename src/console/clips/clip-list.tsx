import { useVirtualizer } from "@tanstack/react-virtual";
import { type MouseEvent, memo, type ReactNode, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "wouter";
import type { ListedClip } from "../api/types.ts";
import { shanghaiTime, sizeText } from "../format.ts";
import { ClipMarks, ClipPicture, StateTag } from "../shared/clip-tags.tsx";
import { CaseNumbers } from "./case-numbers.tsx";
import { ClipCard } from "./clip-card.tsx";
import type { View } from "./filter.ts";

interface Given {
  readonly view: View;
  readonly clips: readonly ListedClip[];
  readonly hasMore: boolean;
  readonly onMore: () => void;
}

const rowHeight = { table: 60, wall: 256 } as const;
const narrowestCard = 224;

/**
 * Only the rows that can be seen are in the page, however long the list is. Rows of a table element cannot be placed one
 * by one, so roles say what is what (biome.json allows it here); by keyboard a row is opened by the link in it.
 */
export function ClipList({ view, clips, hasMore, onMore }: Given): ReactNode {
  const { t } = useTranslation();
  const [, go] = useLocation();
  const scroller = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const columns = view === "table" ? 1 : Math.max(1, Math.floor((width - 12) / (narrowestCard + 12)));
  const count = Math.ceil(clips.length / columns);
  const rows = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight[view],
    overscan: 8,
  });
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && last >= count - 12) onMore();
  }, [hasMore, last, count, onMore]);
  // The link in the row opens it by itself.
  const open = ({ target }: MouseEvent): void => {
    const element = target as Element;
    const id = element.closest("a") === null ? element.closest("[data-clip]")?.getAttribute("data-clip") : null;
    if (id) go(`/clips/${id}`);
  };
  const more = hasMore && <div className="quiet more">{t("clips.more")}</div>;
  if (view === "wall") {
    return (
      <div className="sheet clip-scroll" ref={scroller}>
        <ul className="clip-rows" style={{ height: rows.getTotalSize() }}>
          {shown.map(({ index, start }) => (
            <li
              key={index}
              className="wall-row"
              style={{ height: rowHeight.wall, transform: `translateY(${start}px)`, ["--columns" as string]: columns }}
            >
              {clips.slice(index * columns, (index + 1) * columns).map((clip) => (
                <ClipCard key={clip.id} clip={clip} />
              ))}
            </li>
          ))}
        </ul>
        {more}
      </div>
    );
  }
  const head = ["picture", "file", "captured", "place", "collector", "case", "state", "size", "received"] as const;
  return (
    <div className="sheet clip-scroll" ref={scroller} role="table" aria-label={t("clips.title")} aria-rowcount={-1}>
      <div className="clip-row clip-row-head" role="row">
        {head.map((name) => (
          <span key={name} role="columnheader">
            {t(`clips.column.${name}`)}
          </span>
        ))}
      </div>
      <div className="clip-rows" style={{ height: rows.getTotalSize() }} role="rowgroup" onClick={open}>
        {shown.map(({ index, start }) => {
          const clip = clips[index];
          return clip && <ClipRow key={clip.id} clip={clip} index={index} start={start} />;
        })}
      </div>
      {more}
    </div>
  );
}

interface RowGiven {
  readonly clip: ListedClip;
  readonly index: number;
  /** Pixels from the top. */
  readonly start: number;
}

/** Made anew only when the clip is another or has changed: as somebody scrolls, most rows stay what they are. */
const ClipRow = memo(function ClipRow({ clip, index, start }: RowGiven): ReactNode {
  const { t } = useTranslation();
  const style = { height: rowHeight.table, transform: `translateY(${start}px)` };
  return (
    <div className="clip-row" role="row" aria-rowindex={index + 2} style={style} data-clip={clip.id}>
      <Cell>
        <ClipPicture clip={clip} />
      </Cell>
      <Cell>
        <Link href={`/clips/${clip.id}`} className="clip-name" title={clip.fileName}>
          {clip.fileName}
        </Link>
        <span className="second">
          <span className="quiet clip-recorder" title={clip.recorderSerial ?? ""}>
            {t(`kind.${clip.kind}`)} · {clip.recorderSerial ?? t("casework.byPerson")}
          </span>
          <ClipMarks clip={clip} />
        </span>
      </Cell>
      <Cell>{clip.capturedAt === null ? clip.capturedAtRaw : shanghaiTime(clip.capturedAt)}</Cell>
      <Cell title={clip.placeText} wraps>
        {clip.placeText ?? "–"}
      </Cell>
      <Cell>{clip.collectorNumber}</Cell>
      <Cell wraps>
        <CaseNumbers clip={clip} />
      </Cell>
      <Cell>
        <StateTag state={clip.state} />
      </Cell>
      <Cell>{sizeText(clip.sizeBytes)}</Cell>
      <Cell>{shanghaiTime(clip.receivedAt)}</Cell>
    </div>
  );
});

function Cell({ children, title, wraps }: { children: ReactNode; title?: string | null; wraps?: boolean }): ReactNode {
  return (
    <span role="cell" className={wraps === true ? "two-lines" : undefined} title={title ?? undefined}>
      {children}
    </span>
  );
}
