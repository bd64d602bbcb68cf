import { useVirtualizer } from "@tanstack/react-virtual";
import { type MouseEvent, type ReactNode, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import type { Clip } from "../api/types.ts";
import { shanghaiTime, sizeText } from "../format.ts";
import { ClipMarks, ClipPicture, StateTag } from "../shared/clip-tags.tsx";

interface Given {
  readonly clips: readonly Clip[];
  readonly chosen: ReadonlySet<string>;
  /** Of the row that the keyboard is at. */
  readonly cursor: number;
  /** Why a clip could not be bound the last time. */
  readonly failures: ReadonlyMap<string, string>;
  readonly hasMore: boolean;
  readonly onMore: () => void;
  /** @param extend from where the keyboard was to this row. */
  readonly onChoose: (place: number, extend: boolean) => void;
}

const rowHeight = 68;
const columns = ["chosen", "picture", "file", "captured", "place", "collector", "said", "state"] as const;

/**
 * The tray as a grid of which several rows can be chosen. Only the rows that can be seen are in the page; the grid has
 * the focus, and tells which row the keyboard is at.
 */
export function TrayList({ clips, chosen, cursor, failures, hasMore, onMore, onChoose }: Given): ReactNode {
  const { t } = useTranslation();
  const grid = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: clips.length,
    getScrollElement: () => grid.current,
    estimateSize: () => rowHeight,
    overscan: 8,
    // Of the head, which stays above what is scrolled.
    scrollPaddingStart: 40,
  });
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && last >= clips.length - 12) onMore();
  }, [hasMore, last, clips.length, onMore]);
  const current = clips[cursor];
  const currentId = current?.id;
  const place = useRef(cursor);
  place.current = cursor;
  // Only when the keyboard goes elsewhere: what arrives above must not scroll the list away from whoever reads it.
  useEffect(() => {
    if (currentId !== undefined) rows.scrollToIndex(place.current, { align: "auto" });
  }, [currentId, rows]);
  useEffect(() => grid.current?.focus({ preventScroll: true }), []);
  return (
    <div
      className="sheet clip-scroll tray-grid"
      ref={grid}
      role="grid"
      tabIndex={0}
      aria-label={t("tray.title")}
      aria-multiselectable
      aria-rowcount={hasMore ? -1 : clips.length + 1}
      aria-activedescendant={current === undefined ? undefined : rowId(current)}
    >
      <div className="clip-row clip-row-head" role="row">
        {columns.map((name) => (
          <span key={name} role="columnheader">
            {name === "chosen" ? <span className="visually-hidden">{t("tray.chosen")}</span> : t(`tray.column.${name}`)}
          </span>
        ))}
      </div>
      <div className="clip-rows" style={{ height: rows.getTotalSize() }} role="rowgroup">
        {shown.map(({ index, start }) => {
          const clip = clips[index];
          if (clip === undefined) return null;
          return (
            <Row
              key={clip.id}
              {...{ clip, index }}
              chosen={chosen.has(clip.id)}
              current={index === cursor}
              failure={failures.get(clip.id)}
              style={{ height: rowHeight, transform: `translateY(${start}px)` }}
              onChoose={(event) => onChoose(index, event.shiftKey)}
            />
          );
        })}
      </div>
      {hasMore && <div className="quiet more">{t("clips.more")}</div>}
    </div>
  );
}

interface RowGiven {
  readonly clip: Clip;
  readonly index: number;
  readonly chosen: boolean;
  readonly current: boolean;
  readonly failure: string | undefined;
  readonly style: { readonly height: number; readonly transform: string };
  readonly onChoose: (event: MouseEvent) => void;
}

const rowId = ({ id }: Clip): string => `tray-${id}`;

function Row({ clip, index, chosen, current, failure, style, onChoose }: RowGiven): ReactNode {
  const { t } = useTranslation();
  const name = ["clip-row", chosen && "chosen", current && "current"].filter(Boolean).join(" ");
  const said = [clip.caseNumber, clip.evidencePurpose].filter((text) => text !== null).join(" · ");
  return (
    <div
      className={name}
      id={rowId(clip)}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={chosen}
      style={style}
      // A click with shift is a range, not a part of the text.
      onMouseDown={(event) => event.shiftKey && event.preventDefault()}
      onClick={onChoose}
    >
      <span role="gridcell">
        <input
          type="checkbox"
          tabIndex={-1}
          checked={chosen}
          aria-label={t("tray.choose", { name: clip.fileName })}
          readOnly
        />
      </span>
      <span role="gridcell">
        <ClipPicture clip={clip} />
      </span>
      <span role="gridcell">
        <Link
          href={`/clips/${clip.id}`}
          className="clip-name"
          title={clip.fileName}
          tabIndex={-1}
          onClick={(event) => event.stopPropagation()}
        >
          {clip.fileName}
        </Link>
        {failure === undefined ? (
          <span className="second">
            <span className="quiet clip-recorder" title={clip.recorderSerial ?? ""}>
              {t(`kind.${clip.kind}`)} · {clip.recorderSerial ?? t("casework.byPerson")} · {sizeText(clip.sizeBytes)}
            </span>
            <ClipMarks clip={clip} />
          </span>
        ) : (
          <span className="bad tray-failure" title={failure}>
            {failure}
          </span>
        )}
      </span>
      <span role="gridcell">{clip.capturedAt === null ? clip.capturedAtRaw : shanghaiTime(clip.capturedAt)}</span>
      <span role="gridcell" className="two-lines" title={clip.placeText ?? ""}>
        {clip.placeText ?? "–"}
      </span>
      <span role="gridcell">{clip.collectorNumber}</span>
      <span role="gridcell" className="two-lines" title={said}>
        {said === "" ? "–" : said}
      </span>
      <span role="gridcell">
        <StateTag state={clip.state} />
      </span>
    </div>
  );
}
