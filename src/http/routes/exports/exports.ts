import type { FastifyRequest } from "fastify";
import Type from "typebox";
import { caseOf } from "#cases";
import { type ExportView, exportView, fetchBag, listExports, requestExport, type Subject } from "#export";
import { everyone, organizationOf, personOf } from "../../access.ts";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { asPerson, exportJob, idParams, pageQuery, pageSchema, problem, strict } from "../../schemas.ts";
import { sendObject } from "../clips/send-object.ts";
import { visibleClip } from "../clips/visible-clip.ts";

export function exportRoutes(app: App, deps: HttpDependencies): void {
  const subjects = [
    {
      ...{ path: "cases", what: "case", of: (id: string): Subject => ({ caseId: id }) },
      visible: (request: FastifyRequest, id: string) => caseOf(deps.db, id, organizationOf(request)),
    },
    {
      ...{ path: "clips", what: "clip", of: (id: string): Subject => ({ clipId: id }) },
      visible: (request: FastifyRequest, id: string) => visibleClip(request, deps.db, id),
    },
  ] as const;
  for (const { path, what, of, visible } of subjects) {
    app.post(
      `/api/v1/${path}/:id/exports`,
      {
        config: { access: everyone, operation: `exports.request-${what}` },
        schema: {
          summary: `Export a ${what}`,
          description: "Makes a bag (BagIt 1.0) as a job. Ask for its state at the address in `Location`.",
          tags: ["exports"],
          security: asPerson,
          params: idParams,
          response: { 202: exportJob, default: problem },
        },
      },
      async (request, reply) => {
        // The path is put together here, so its parameters have no type of their own.
        const { id } = request.params as { id: string };
        const made: ExportView = await requestExport(deps.db, of(id), personOf(request), request.id);
        return reply.status(202).header("location", `/api/v1/exports/${made.id}`).send(made);
      },
    );
    app.get(
      `/api/v1/${path}/:id/exports`,
      {
        config: { access: everyone, operation: `exports.list-${what}` },
        schema: {
          summary: `List the exports of a ${what}`,
          description: "Newest first; also those whose bag was removed again, or that failed.",
          tags: ["exports"],
          security: asPerson,
          params: idParams,
          querystring: Type.Object(pageQuery, strict),
          response: { 200: pageSchema(exportJob), default: problem },
        },
      },
      async (request) => {
        const { id } = request.params as { id: string };
        const { cursor, limit } = request.query as { cursor?: string; limit?: number };
        const organizationId = organizationOf(request);
        await visible(request, id);
        return listExports(deps.db, of(id), { organizationId, cursor, limit: limit ?? 50 });
      },
    );
  }
  app.get(
    "/api/v1/exports/:id",
    {
      config: { access: everyone, operation: "exports.read" },
      schema: {
        summary: "Read how far an export is",
        tags: ["exports"],
        security: asPerson,
        params: idParams,
        response: { 200: exportJob, default: problem },
      },
    },
    (request) => exportView(deps.db, request.params.id, organizationOf(request)),
  );
  app.get(
    "/api/v1/exports/:id/bag",
    {
      config: { access: everyone, operation: "exports.bag" },
      schema: {
        summary: "Fetch the bag as a tar, whole or in ranges",
        description: "The first read of a session is a custody event.",
        tags: ["exports"],
        security: asPerson,
        params: idParams,
      },
    },
    async (request, reply) => {
      const { key, versionId, fileName, ...facts } = await fetchBag(deps.db, request.params.id, personOf(request));
      return sendObject(request, reply, deps.store, {
        ref: { key, versionId },
        ...facts,
        mediaType: "application/x-tar",
        downloadName: fileName,
      });
    },
  );
}
