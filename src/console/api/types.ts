import type { paths } from "./schema.ts";

type Content<R> = R extends { content: { "application/json": infer T } } ? T : never;
type Get<P extends keyof paths> = paths[P] extends { get: { responses: { 200: infer R } } } ? Content<R> : never;

export type Session = Get<"/api/v1/session">;
/** A clip as the list shows it. */
export type ListedClip = Get<"/api/v1/clips">["items"][number];
export type Clip = Omit<ListedClip, "cases">;
export type ClipDetail = Get<"/api/v1/clips/{id}">;
export type Derivative = ClipDetail["derivatives"][number];
export type Binding = ClipDetail["bindings"][number];
export type CustodyLine = Get<"/api/v1/clips/{id}/custody">["items"][number];
export type CaseDetail = Get<"/api/v1/cases/{id}">;
export type Recording = Get<"/api/v1/recordings/{id}">;
export type Overview = Get<"/api/v1/overview">;
export type Finding = Get<"/api/v1/findings">["items"][number];
export type RecorderDetail = Get<"/api/v1/recorders/{serial}">;
export type AuditRun = Get<"/api/v1/audits">["items"][number];
export type Alarm = Get<"/api/v1/alarms">["items"][number];
export type Upload = Get<"/api/v1/uploads">["items"][number];
export type CaseFile = Omit<CaseDetail, "clips" | "bindings">;
export type ExportJob = Get<"/api/v1/exports/{id}">;
export type ClipState = Clip["state"];
export type ClipKind = Clip["kind"];
