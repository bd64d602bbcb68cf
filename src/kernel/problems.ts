/**
 * Every refusal and fault that dockseal tells a caller about: one closed list, one HTTP status each, one sentence
 * that says what to do. The `type` of a problem document (RFC 9457 §3.1.1) is `/problems/<code>`.
 * docs/problems.md is generated from this table.
 */
export const problems = {
  // who may speak
  "authentication-required": [
    401,
    "Authentication required",
    "Send `Authorization: Bearer <station token>` or sign in for a session.",
  ],
  "token-unknown": [
    401,
    "Token not accepted",
    "The token is unknown or was revoked. Ask an administrator for a new station token.",
  ],
  "sign-in-failed": [
    401,
    "Sign-in failed",
    "Name or password is wrong. Try again, or ask an administrator to reset the password.",
  ],
  "csrf-token-missing": [
    403,
    "CSRF token missing or wrong",
    "Send the `csrfToken` of your session in the header `x-csrf-token`.",
  ],
  forbidden: [403, "Not allowed", "Your role does not allow this. Ask an administrator of your organization."],
  "purpose-required": [
    403,
    "Purpose of viewing required",
    "Say what the clip is viewed for with `POST /api/v1/clips/{id}/viewings`, then ask again: it is logged before anything is sent.",
  ],
  "other-organization": [
    403,
    "Belongs to another organization",
    "This recorder is registered with another organization. Dock it at a station of that organization, or have it transferred.",
  ],
  "gateway-key-refused": [
    401,
    "Gateway key not accepted",
    "In the address `gzz_xh` and `authkey` must be a station's number and a key that was issued for it and not revoked. Ask an administrator.",
  ],
  "source-address-refused": [
    403,
    "Not from this address",
    "The key may not be used from there. Ask an administrator to issue one for the station's address.",
  ],
  "too-many-requests": [429, "Too many requests", "Wait for the number of seconds in `Retry-After`, then try again."],
  // shape of a request
  "not-found": [404, "Not found", "Check the address. What you asked for does not exist or is not visible to you."],
  "malformed-request": [400, "Malformed request", "Correct the request as `detail` says, and send it again."],
  "malformed-field": [400, "Malformed field", "Correct the field named in `errors` and send the request again."],
  "unknown-field": [
    400,
    "Unknown field",
    "Remove the field named in `errors` or correct its spelling: unknown fields are never dropped silently.",
  ],
  "unsupported-media-type": [
    415,
    "Unsupported media type",
    "Send JSON as `application/json`, a clip as `multipart/form-data`.",
  ],
  "body-too-large": [413, "Request body too large", "Send less in one request."],
  "precondition-required": [
    428,
    "Precondition required",
    "Send `If-Match` with the ETag that you read, so that nobody's change is overwritten.",
  ],
  "precondition-failed": [412, "Changed meanwhile", "Read it again and repeat your change on what is there now."],
  conflict: [
    409,
    "Conflict",
    "Something with this name or number exists already. Choose another, or use the one that exists.",
  ],
  "range-not-satisfiable": [416, "Range not satisfiable", "Ask for a range inside the size given in `Content-Range`."],
  // a clip on its way in
  "metadata-missing": [
    400,
    "Metadata missing",
    "Send a form field `metadata` with a JSON object before the field `file`.",
  ],
  "file-before-metadata": [400, "File before metadata", "Send the form field `metadata` before the field `file`."],
  "file-missing": [400, "File missing", "Send the recording in a form field `file` after `metadata`."],
  "one-file-only": [
    400,
    "One file only",
    "Send one request a clip, each with one `metadata` and one `file`, in this order, and nothing else.",
  ],
  "empty-file": [
    422,
    "Empty file",
    "The file holds no byte. Check the card, and send the file again if it holds something.",
  ],
  "file-too-large": [
    413,
    "File too large",
    "The file is larger than this server takes. Ask the operator to raise DOCKSEAL_MAX_CLIP_BYTES.",
  ],
  "length-differs": [
    422,
    "Length differs",
    "The bytes that arrived are not as many as declared. Send the file again, whole.",
  ],
  "digest-differs": [
    422,
    "Digest differs",
    "The bytes that arrived do not have the declared digest. Read the file again and send it once more.",
  ],
  "not-announced": [
    404,
    "Not announced",
    "No record of that file number came from this station. Send the record to /v3/fileinfo before the bytes.",
  ],
  "file-number-reused": [
    409,
    "File number used for another file",
    "This station sent another file under that number. Both are not one: give the new file a number of its own, and keep it until then.",
  ],
  "records-refused": [
    400,
    "Records refused",
    "The records named in `refused` were not taken, the others were. Correct them and send them again.",
  ],
  "wiped-without-receipt": [
    409,
    "Deleted without a receipt",
    "The file was deleted before there was proof that it is held. It is logged and an alarm stands. Delete only what /v3/can_delete_files lists.",
  ],
  "upload-stalled": [408, "Upload stalled", "No byte arrived for a while. Check the line and send the file again."],
  "upload-aborted": [400, "Upload aborted", "The connection ended before the file did. Send the file again."],
  // a resumable upload (tus 1.0)
  "tus-version-unsupported": [412, "Version of tus not supported", "Send `Tus-Resumable: 1.0.0` with every request."],
  "upload-offset-differs": [409, "Offset differs", "Ask with HEAD how far the upload is, and go on from there."],
  "upload-locked": [
    423,
    "Upload locked",
    "Another request is writing this upload. Ask with HEAD after `Retry-After`, and go on from the offset it gives.",
  ],
  "upload-incomplete": [
    409,
    "Upload incomplete",
    "Bytes are missing. Ask with HEAD how many there are, and send the rest.",
  ],
  "upload-gone": [
    410,
    "Upload gone",
    "It expired or was ended, or the store does not hold its parts any more. No clip came of it: begin a new upload.",
  ],
  "checksum-differs": [
    460,
    "Checksum differs",
    "The bytes of this request do not have the checksum of `Upload-Checksum` and were not kept. Send them again.",
  ],
  // the machine behind
  "store-unavailable": [
    503,
    "Evidence store not available",
    "Nothing was kept. Keep the file and send it again after `Retry-After`.",
  ],
  "store-full": [507, "Evidence store full", "Nothing was kept. Keep the file, and have the operator add storage."],
  "database-unavailable": [
    503,
    "Database not available",
    "Nothing was kept. Keep the file and send it again after `Retry-After`.",
  ],
  "no-budget": [
    503,
    "Busy",
    "As many uploads as this server can hold are running. Send the file again after `Retry-After`.",
  ],
  "too-many-uploads": [
    429,
    "Too many uploads",
    "This station has as many uploads running as it may have at once. Send the file again after `Retry-After`.",
  ],
  "too-many-streams": [
    503,
    "Too many streams of events",
    "As many streams are open as `detail` says. Close some, or ask for lists from time to time instead.",
  ],
  "shutting-down": [503, "Shutting down", "The server is stopping. Send the request again after `Retry-After`."],
  "object-exists": [
    500,
    "Object exists already",
    "A key is used once. This is a fault of the server: give the operator the `requestId`.",
  ],
  "object-missing": [
    500,
    "Object missing",
    "The store does not hold what the database says. Give the operator the `requestId` and run `dockseal doctor`.",
  ],
  "object-locked": [
    409,
    "Object locked",
    "The store keeps this until its retention ends or its hold is lifted; it cannot be removed or shortened.",
  ],
  "object-differs": [
    500,
    "Object differs",
    "The stored bytes are not what came in. The clip is in quarantine; run `dockseal doctor`.",
  ],
  // proof
  "not-sealed-yet": [
    202,
    "Not sealed yet",
    "Ask again after `Retry-After`: the receipt exists once the clip is sealed. Keep the file until then.",
  ],
  "no-seal-bundle": [
    404,
    "No seal bundle",
    "Text, short files and clips that were sealed by an older version have none. The receipt proves the same: read that.",
  ],
  quarantined: [
    409,
    "In quarantine",
    "What is stored differs from what came in. Keep your copy, and have the operator run `dockseal doctor`.",
  ],
  "wipe-not-covered": [
    409,
    "Wipe not covered",
    "Wipe a file only on a verified receipt for its own bytes. When it is gone already, keep the receipt and tell the operator.",
  ],
  "nothing-to-audit": [
    409,
    "Nothing to audit",
    "No clip in this scope is sealed yet, or it was sealed only now. Try again when there is one.",
  ],
  "no-playback": [409, "No playable copy", "The clip has no playable copy (yet). Its original can be fetched."],
  "timestamp-rejected": [
    502,
    "Timestamp rejected",
    "The timestamp authority's answer did not pass the checks named in `detail`. Check DOCKSEAL_TSA_URL and its certificate.",
  ],
  "timestamp-unavailable": [
    503,
    "Timestamp authority not available",
    "Sealing goes on by itself once the authority answers again.",
  ],
  "malformed-proof": [
    422,
    "Malformed proof",
    "This is not a receipt, note, checkpoint, proof or token of the format named in `detail`.",
  ],
  "proof-rejected": [
    422,
    "Proof rejected",
    "The proof is well formed but does not hold. Do not rely on what it says; keep it, and tell the auditor.",
  ],
  "log-rolled-back": [
    500,
    "Custody log rolled back",
    'The database is older than a checkpoint that was given away. Restore the newer backup; docs/operations.md, "When the log refuses to sign", names the other ways out.',
  ],
  "log-forked": [
    500,
    "Custody log forked",
    'The log\'s entries are not those that were signed. Stop, keep every backup, restore the one that continues the checkpoint named in `detail`; docs/operations.md, "When the log refuses to sign".',
  ],
  // export
  "export-refused": [409, "Cannot be exported", "See `detail`. Then ask for the export again."],
  "export-not-done": [
    409,
    "Export not done",
    "Ask for the export's state until it is `done`; when it is `failed`, its `problem` says why.",
  ],
  "export-removed": [
    410,
    "Bag removed",
    "Bags are removed DOCKSEAL_EXPORT_DAYS after they were made. Ask for the export again.",
  ],
  "log-behind": [
    503,
    "Custody log behind",
    "Events wait for their place in the custody log. Make sure that `dockseal work` runs, and ask `dockseal doctor`.",
  ],
  // derive
  "media-tool-failed": [
    422,
    "Media tool failed",
    "ffmpeg could not read the recording; the original is kept as it is.",
  ],
  "sandbox-unavailable": [
    500,
    "No sandbox for ffmpeg",
    "Install bubblewrap (deploy/prepare.sh), or set DOCKSEAL_SANDBOX=limits to run ffmpeg under resource limits alone.",
  ],
  // operation
  "configuration-invalid": [
    500,
    "Configuration invalid",
    "Correct the variables listed in `detail`; .env.example describes each.",
  ],
  "queue-unavailable": [503, "Queue not available", "Nothing is lost: work goes on once the queue answers again."],
  usage: [400, "Usage", "Run `dockseal --help`."],
  internal: [
    500,
    "Internal error",
    "Nothing was confirmed. Try again; if it stays, give the operator the `requestId`.",
  ],
} as const satisfies Record<string, readonly [status: number, title: string, advice: string]>;

export type ProblemCode = keyof typeof problems;

export interface ProblemOptions {
  /** What exactly was wrong, for a person. No secrets, no personal names. */
  readonly detail?: string;
  /** Further members of the problem document, e.g. `errors`. */
  readonly extra?: Readonly<Record<string, unknown>>;
  /** Seconds for the header `Retry-After`. */
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** The one error class of dockseal. `message` is the detail, or the title when there is none. */
export class DocksealError extends Error {
  override readonly name = "DocksealError";
  readonly code: ProblemCode;
  readonly detail: string | undefined;
  readonly extra: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    super(options.detail ?? problems[code][1], options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.detail = options.detail;
    this.extra = options.extra ?? {};
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get status(): number {
    return problems[this.code][0];
  }
  get title(): string {
    return problems[this.code][1];
  }
  get advice(): string {
    return problems[this.code][2];
  }
}

export function isProblem(error: unknown, code?: ProblemCode): error is DocksealError {
  return error instanceof DocksealError && (code === undefined || error.code === code);
}
