import type { FastifyRequest } from "fastify";
import Type from "typebox";
import {
  announceFile,
  announceFiles,
  deletableFiles,
  fileNumber,
  type GatewayStation,
  readFileRecord,
  receiveAnnouncedFile,
  recordDeletion,
  recordsOf,
} from "#gateway";
import { DocksealError } from "#kernel";
import { checked } from "#schema";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { readMultipartForm } from "../clips/multipart-clip.ts";
import { duringUpload } from "../clips/take-upload.ts";
import { done } from "./answers.ts";
import { gatewayStationOf } from "./guard.ts";

const hide = true;
const checkDeletion = checked(Type.Object({ wjbh: fileNumber }));

/** Records of files, their bytes, and what may be deleted and was. */
export function gatewayFileRoutes(app: App, deps: HttpDependencies): void {
  app.post(
    "/v3/fileinfo",
    { config: { access: "gateway", operation: "gateway.fileinfo" }, schema: { hide } },
    async (request) => {
      const station = gatewayStationOf(request);
      if (!request.isMultipart()) return done(await announce(deps, station, request.body));
      return receiving(deps, request, async () => {
        const form = await readMultipartForm(request, "fileinfo", (text) => oneRecord(text, station));
        try {
          await announceFile(deps.db, station, form.metadata);
          return { number: form.metadata.number, body: form.body, destroy: () => form.destroy() };
        } catch (error) {
          form.destroy();
          throw error;
        }
      });
    },
  );
  app.route({
    method: ["PUT", "POST"],
    url: "/v3/file/:wjbh",
    config: { access: "gateway", operation: "gateway.file" },
    schema: { hide, params: Type.Object({ wjbh: fileNumber }) },
    handler: async (request) => {
      const { wjbh } = request.params as { wjbh: string };
      if (request.headers["content-type"] !== "application/octet-stream")
        throw new DocksealError("unsupported-media-type", { detail: "the bytes come as application/octet-stream" });
      return receiving(deps, request, async () => ({ number: wjbh, body: request.raw, destroy: () => undefined }));
    },
  });
  app.get(
    "/v3/can_delete_files",
    { config: { access: "gateway", operation: "gateway.can-delete-files" }, schema: { hide } },
    async (request) => {
      const numbers = await deletableFiles(deps.db, gatewayStationOf(request).actor.id);
      return done(numbers.map((wjbh) => ({ wjbh })));
    },
  );
  app.post(
    "/v3/notify_file_deleted",
    { config: { access: "gateway", operation: "gateway.notify-file-deleted" }, schema: { hide } },
    async (request) => {
      const station = gatewayStationOf(request);
      const numbers = recordsOf(request.body).map((value) => checkDeletion(value).wjbh);
      const without: string[] = [];
      for (const number of numbers) if (!(await recordDeletion(deps.db, station, number))) without.push(number);
      if (without.length > 0) {
        const extra = { withoutReceipt: without.map((wjbh) => ({ wjbh })) };
        throw new DocksealError("wiped-without-receipt", { detail: `${without.length} of ${numbers.length}`, extra });
      }
      return done({ recorded: numbers.length });
    },
  );
}

async function announce(deps: HttpDependencies, station: GatewayStation, body: unknown): Promise<{ accepted: number }> {
  const { accepted, refused } = await announceFiles(deps.db, station, recordsOf(body));
  if (refused.length === 0) return { accepted };
  const told = refused.map(({ position, number, problem }) => ({
    position,
    ...(number === undefined ? {} : { wjbh: number }),
    message: `${problem.code}: ${problem.message}`,
  }));
  // A single record's own code says more than that records were refused.
  const [only] = refused;
  if (accepted === 0 && refused.length === 1 && only !== undefined) throw only.problem;
  const detail = told.map(({ position, message }) => `record ${position}: ${message}`).join("; ");
  throw new DocksealError("records-refused", { detail, extra: { accepted, refused: told } });
}

function oneRecord(text: string, station: GatewayStation): ReturnType<typeof readFileRecord> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DocksealError("malformed-request", {
      detail: `fileinfo is not JSON: ${(cause as Error).message}`,
      cause,
    });
  }
  const [record, ...further] = recordsOf(value);
  if (further.length > 0) throw new DocksealError("one-file-only", { detail: "fileinfo holds more than one record" });
  return readFileRecord(record, station.number);
}

/** The bytes of one file, from when its number and body are known. */
async function receiving(
  deps: HttpDependencies,
  request: FastifyRequest,
  begin: () => Promise<{ number: string; body: AsyncIterable<Buffer>; destroy(): void }>,
): Promise<ReturnType<typeof done<{ wjbh: string; clipId: string; sha256: string }>>> {
  const station = gatewayStationOf(request);
  const at = { request, deps, bringerId: station.actor.id };
  const { wjbh, clipId, sha256 } = await duringUpload(at, begin, async ({ number, body }, { ingest, ...upload }) => ({
    ...(await receiveAnnouncedFile(ingest, station, number, { ...upload, body: wholeBody(body) })),
    wjbh: number,
  }));
  return done({ wjbh, clipId, sha256 });
}

/** A body that ends early is no file. */
async function* wholeBody(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* body;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ECONNRESET")
      throw new DocksealError("upload-aborted", { cause: error });
    throw error;
  }
}
