import { DocksealError } from "#kernel";
import type { StoreLog } from "../log.ts";
import { asProblem, S3AnswerError } from "./answers.ts";
import type { ControlOptions, S3Connection } from "./connection.ts";

/**
 * Makes sure that the bucket can hold evidence: it exists (or is created) with versioning and Object Lock.
 * Object Lock can be given to a bucket only when it is created, so a bucket without it is refused, not repaired.
 * @throws DocksealError `configuration-invalid`, `store-unavailable`.
 */
export async function openBucket(
  connection: S3Connection,
  createBucket: boolean,
  log: StoreLog,
  options: ControlOptions,
): Promise<void> {
  const { bucket } = connection;
  try {
    if (!(await connection.call((client) => client.bucketExists(bucket), options))) {
      if (!createBucket) throw invalid(`bucket ${bucket} does not exist; create it with versioning and Object Lock`);
      await createLocking(connection, options);
      log({ level: "info", msg: "bucket created with Object Lock", bucket });
    }
    const versioning: unknown = await connection.call((client) => client.getBucketVersioning(bucket), options);
    if (field(versioning, "Status") !== "Enabled") {
      throw invalid(`bucket ${bucket} has no versioning; evidence needs a bucket created with Object Lock`);
    }
    if (!(await hasObjectLock(connection, options))) {
      throw invalid(`bucket ${bucket} was created without Object Lock, so nothing in it could be kept from removal`);
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof S3AnswerError && error.status === 403) {
      const detail = `the store refuses these keys for bucket ${bucket} (${error.code}): check access key, secret key and region`;
      throw new DocksealError("configuration-invalid", { detail, cause: error });
    }
    throw asProblem("open", error);
  }
}

async function createLocking(connection: S3Connection, options: ControlOptions): Promise<void> {
  try {
    await connection.call((client) => client.makeBucket(connection.bucket, "", { ObjectLocking: true }), options);
  } catch (error) {
    // Another process may have been faster; whether it made the right bucket is looked at next.
    if (!(error instanceof S3AnswerError && error.code === "BucketAlreadyOwnedByYou")) throw error;
  }
}

async function hasObjectLock(connection: S3Connection, options: ControlOptions): Promise<boolean> {
  const { bucket } = connection;
  try {
    const found = await connection.call(
      async (client): Promise<unknown> => client.getObjectLockConfig(bucket),
      options,
    );
    return field(found, "objectLockEnabled") === "Enabled";
  } catch (error) {
    if (error instanceof S3AnswerError && error.status === 404) return false;
    throw error;
  }
}

/** The client library's types and its answers differ here, so answers are taken as unknown. */
function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function invalid(detail: string): DocksealError {
  return new DocksealError("configuration-invalid", { detail: `evidence store: ${detail}` });
}
