import { text } from "node:stream/consumers";
import { LEGAL_HOLD_STATUS, RETENTION_MODES } from "minio";
import type { ObjectRef, Retention } from "../port.ts";
import { isMissing } from "./answers.ts";
import type { ControlOptions, S3Connection } from "./connection.ts";
import { elements, textOf } from "./xml.ts";

export interface ListedVersion extends ObjectRef {
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly deleteMarker: boolean;
}

export interface ListedUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly startedAt: Date;
}

/** All versions and delete markers under a prefix (ListObjectVersions), in the order of their keys, newest first. */
export async function* listVersions(
  connection: S3Connection,
  prefix: string,
  options?: ControlOptions,
): AsyncGenerator<ListedVersion> {
  let markers: Record<string, string> = {};
  while (true) {
    const xml = await getDocument(connection, "list", { versions: "", prefix, ...markers }, options);
    const entries = [
      ...elements(xml, "Version").map((entry) => listedVersion(entry, false)),
      ...elements(xml, "DeleteMarker").map((entry) => listedVersion(entry, true)),
    ];
    // Markers and versions come apart or mixed, by server; the order within a key is kept: newest first.
    yield* entries.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    const keyMarker = textOf(xml, "NextKeyMarker");
    if (textOf(xml, "IsTruncated") !== "true" || !keyMarker) return;
    const versionMarker = textOf(xml, "NextVersionIdMarker");
    markers = { "key-marker": keyMarker, ...(versionMarker ? { "version-id-marker": versionMarker } : {}) };
  }
}

/** All unfinished multipart uploads under a prefix (ListMultipartUploads). */
export async function* listUploads(
  connection: S3Connection,
  prefix: string,
  options?: ControlOptions,
): AsyncGenerator<ListedUpload> {
  let markers: Record<string, string> = {};
  while (true) {
    const xml = await getDocument(connection, "list uploads", { uploads: "", prefix, ...markers }, options);
    for (const entry of elements(xml, "Upload")) {
      yield {
        key: textOf(entry, "Key") ?? "",
        uploadId: textOf(entry, "UploadId") ?? "",
        startedAt: new Date(textOf(entry, "Initiated") ?? 0),
      };
    }
    const keyMarker = textOf(xml, "NextKeyMarker");
    if (textOf(xml, "IsTruncated") !== "true" || !keyMarker) return;
    markers = { "key-marker": keyMarker, "upload-id-marker": textOf(xml, "NextUploadIdMarker") ?? "" };
  }
}

/** Those entries of a listing that are of exactly this key; it sorts before every longer one. */
export async function ofKey<T extends { readonly key: string }>(listing: AsyncIterable<T>, key: string): Promise<T[]> {
  const found: T[] = [];
  for await (const entry of listing) {
    if (entry.key !== key) break;
    found.push(entry);
  }
  return found;
}

export interface VersionHead {
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  /** The put that wrote it, if it was one of dockseal's. */
  readonly attemptId: string | undefined;
}

/** Size and time of a version (HEAD); undefined when it does not exist. */
export function head(
  connection: S3Connection,
  { key, versionId }: ObjectRef,
  options?: ControlOptions,
): Promise<VersionHead | undefined> {
  return connection.control(
    "stat",
    async (client) => {
      try {
        const found = await client.statObject(connection.bucket, key, { versionId });
        const attemptId: unknown = found.metaData["dockseal-attempt"];
        return {
          sizeBytes: found.size,
          modifiedAt: found.lastModified,
          attemptId: typeof attemptId === "string" ? attemptId : undefined,
        };
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    options,
  );
}

/** What retention the store holds for a version; undefined when none. */
export function readRetention(
  connection: S3Connection,
  { key, versionId }: ObjectRef,
  options?: ControlOptions,
): Promise<Retention | undefined> {
  return connection.control(
    "read retention",
    async (client) => {
      try {
        const found = await client.getObjectRetention(connection.bucket, key, { versionId });
        if (!found?.retainUntilDate) return undefined;
        return { mode: found.mode, until: new Date(found.retainUntilDate) };
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    options,
  );
}

/** One attempt to set a retention; the server's refusal is thrown as it came. */
export function writeRetention(
  connection: S3Connection,
  { key, versionId }: ObjectRef,
  { mode, until }: Retention,
  bypassGovernance = false,
): Promise<void> {
  return connection.call((client) =>
    client.putObjectRetention(connection.bucket, key, {
      versionId,
      mode: RETENTION_MODES[mode],
      retainUntilDate: until.toISOString(),
      ...(bypassGovernance ? { governanceBypass: true } : {}),
    }),
  );
}

export function readLegalHold(
  connection: S3Connection,
  { key, versionId }: ObjectRef,
  options?: ControlOptions,
): Promise<boolean> {
  return connection.control(
    "read legal hold",
    async (client) => {
      const query = toQuery({ "legal-hold": "", versionId });
      try {
        const response = await client.makeRequestAsync({
          method: "GET",
          bucketName: connection.bucket,
          objectName: key,
          query,
        });
        return textOf(await text(response), "Status") === "ON";
      } catch (error) {
        if (isMissing(error)) return false;
        throw error;
      }
    },
    options,
  );
}

export function writeLegalHold(connection: S3Connection, { key, versionId }: ObjectRef, on: boolean): Promise<void> {
  const status = on ? LEGAL_HOLD_STATUS.ENABLED : LEGAL_HOLD_STATUS.DISABLED;
  return connection.control("legal hold", async (client) => {
    // Typed void by the library, which gives a promise.
    await Promise.resolve(client.setObjectLegalHold(connection.bucket, key, { versionId, status }));
  });
}

/** One DELETE of one version; the server's refusal is thrown as it came, a version that is gone is not an error. */
export async function deleteVersion(
  connection: S3Connection,
  { key, versionId }: ObjectRef,
  options: ControlOptions & { readonly bypassGovernance?: boolean } = {},
): Promise<void> {
  try {
    await connection.call(
      (client) =>
        client.removeObject(connection.bucket, key, {
          versionId,
          ...(options.bypassGovernance ? { governanceBypass: true } : {}),
        }),
      options,
    );
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** Parameters as a query string in the form that the signature wants: sorted, every value escaped. */
export function toQuery(parameters: Readonly<Record<string, string>>): string {
  return Object.keys(parameters)
    .sort()
    .map((name) => (parameters[name] === "" ? name : `${name}=${encodeURIComponent(parameters[name] ?? "")}`))
    .join("&");
}

function getDocument(
  connection: S3Connection,
  operation: string,
  parameters: Readonly<Record<string, string>>,
  options: ControlOptions | undefined,
): Promise<string> {
  return connection.control(
    operation,
    async (client) => {
      const query = toQuery(parameters);
      return text(await client.makeRequestAsync({ method: "GET", bucketName: connection.bucket, query }));
    },
    options,
  );
}

function listedVersion(entry: string, deleteMarker: boolean): ListedVersion {
  return {
    key: textOf(entry, "Key") ?? "",
    versionId: textOf(entry, "VersionId") ?? "",
    sizeBytes: Number(textOf(entry, "Size") ?? 0),
    modifiedAt: new Date(textOf(entry, "LastModified") ?? 0),
    deleteMarker,
  };
}
