import type { ProvingCheckpoint } from "#custody";
import type { Role } from "#identity";
import type { Kind } from "#metadata";
import { originalPath, receiptPath } from "../bag/layout.ts";
import type { Dossier, DossierClip } from "../dossier.ts";

/** Who had the export made, as people read it. */
export interface Exporter {
  readonly name: string;
  /** null for the command line. */
  readonly role: Role | null;
}

export interface ListedItem {
  /** 序号, from 1. */
  readonly number: number;
  readonly clip: string;
  /** 类别 */
  readonly category: Kind;
  readonly categoryName: string;
  /** As the recorder named it; in the bag it may be written differently, see `path`. */
  readonly fileName: string;
  readonly path: string;
  readonly fileFormat: string;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly sm3: string;
  /** 采集时间, as the source or the handler wrote it. */
  readonly capturedAt: string;
  /** 采集地点 */
  readonly capturePlace: string;
  /** 采集人: certificate number. */
  readonly collectorNumber: string;
  /** 证明对象 */
  readonly evidencePurpose: string;
  readonly stage: string;
  readonly caseNumber: string;
  /** 固定时间: what the timestamp tells. RFC 3339, UTC. */
  readonly sealedAt: string;
  /** Place of the sealing in the custody log. */
  readonly logIndex: number;
  readonly receipt: string;
}

/** The electronic-data list 电子数据清单: what courts ask for beside electronic evidence. */
export interface ElectronicDataList {
  readonly type: "dockseal/electronic-data-list@v1";
  readonly title: "电子数据清单";
  readonly export: string;
  readonly case: { readonly id: string; readonly number: string; readonly title: string | null } | null;
  readonly organization: { readonly id: string; readonly name: string };
  readonly exportedBy: Exporter;
  /** RFC 3339, UTC, milliseconds. */
  readonly exportedAt: string;
  readonly checkpoint: { readonly origin: string; readonly size: number; readonly root: string };
  readonly items: readonly ListedItem[];
}

const categoryNames: Readonly<Record<Kind, string>> = {
  video: "视频",
  audio: "音频",
  photo: "照片",
  text: "文本",
  other: "其他",
};

export interface ListFacts {
  readonly exportId: string;
  readonly exporter: Exporter;
  readonly at: Date;
  readonly origin: string;
  readonly checkpoint: ProvingCheckpoint;
  /** Event to place in the log. */
  readonly places: ReadonlyMap<string, number>;
}

export function electronicDataList(dossier: Dossier, facts: ListFacts): ElectronicDataList {
  const { case: file, organization } = dossier;
  return {
    type: "dockseal/electronic-data-list@v1",
    title: "电子数据清单",
    export: facts.exportId,
    case: file === undefined ? null : { id: file.id, number: file.number, title: file.title },
    organization,
    exportedBy: facts.exporter,
    exportedAt: facts.at.toISOString(),
    checkpoint: {
      origin: facts.origin,
      size: facts.checkpoint.size,
      root: facts.checkpoint.root.toString("base64"),
    },
    items: dossier.clips.map((clip, at) => listedItem(clip, at + 1, facts.places.get(clip.seal.eventId))),
  };
}

function listedItem(clip: DossierClip, number: number, logIndex: number | undefined): ListedItem {
  const { record, detail, seal, binding } = clip;
  if (logIndex === undefined) throw new Error(`the sealing of clip ${record.id} has no place in the log`);
  const category = detail.kind as Kind;
  return {
    number,
    clip: record.id,
    category,
    categoryName: categoryNames[category],
    fileName: record.fileName,
    path: originalPath(clip),
    fileFormat: formatOf(record.fileName, record.mediaType),
    mediaType: record.mediaType,
    sizeBytes: seal.manifest.sizeBytes,
    sha256: seal.manifest.sha256,
    sm3: seal.manifest.sm3,
    capturedAt: binding?.capturedAt ?? record.capturedAtRaw,
    capturePlace: binding?.capturePlace ?? record.placeText ?? "",
    collectorNumber: binding?.collectorNumber ?? record.collectorNumber,
    evidencePurpose: binding?.evidencePurpose ?? record.evidencePurpose ?? "",
    stage: binding?.stage ?? record.stage ?? "",
    caseNumber: binding?.caseNumber ?? record.caseNumber ?? "",
    sealedAt: new Date(seal.generatedAt).toISOString(),
    logIndex,
    receipt: receiptPath(record.id),
  };
}

/** The ending of the name, which is what people call a format, or else the media type. */
function formatOf(fileName: string, mediaType: string): string {
  return /\.([A-Za-z0-9]{1,10})$/.exec(fileName)?.[1]?.toUpperCase() ?? mediaType;
}
