import { createPublicKey } from "node:crypto";
import Type from "typebox";
import { consistencyBetween, entriesBetween, inclusionAt, indexOfLeaf, newestHead, type TimedHead } from "#custody";
import { ctLogId, signTreeHead } from "#evidence";
import { DocksealError } from "#kernel";
import type { HttpDependencies } from "../../dependencies.ts";
import type { App } from "../../routed.ts";
import { problem, strict } from "../../schemas.ts";

/** Entries of one answer at most (RFC 6962 §4.6 lets a log answer with fewer than were asked for). */
const MAX_ENTRIES = 1000;

const place = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const base64 = Type.String({ description: "base64" });
const range = Type.Object({ start: place, end: place }, strict);
const sizes = Type.Object({ first: place, second: place }, strict);
const byHash = Type.Object({ hash: Type.String({ maxLength: 44 }), tree_size: place }, strict);
const byIndex = Type.Object({ leaf_index: place, tree_size: place }, strict);
const entry = Type.Object({ leaf_input: base64, extra_data: base64 });
const hashes = Type.Array(base64);

/**
 * The same tree for programs that speak RFC 6962 §4, such as log monitors. An entry is no certificate: `leaf_input` is the
 * entry as it is, so that every hash is the one of the checkpoints. Nothing can be submitted.
 */
export function certificateTransparencyRoutes(app: App, deps: HttpDependencies): void {
  const treeHead = headSigner(deps);
  const route = (operation: string, summary: string) => ({
    config: { access: "public" as const, operation: `log.ct.${operation}` },
    schema: { summary: `${summary} (RFC 6962)`, tags: ["log"] },
  });
  const get = <R extends Type.TSchema>(answer: R) => ({ 200: answer, default: problem });

  app.get(
    "/log/ct/v1/get-sth",
    withSchema(route("get-sth", "§4.3: the newest signed tree head"), {
      response: get(
        Type.Object({
          tree_size: place,
          timestamp: place,
          sha256_root_hash: base64,
          tree_head_signature: base64,
        }),
      ),
    }),
    async (_request, reply) => {
      const head = await signedHead(deps);
      return reply.header("cache-control", "no-cache").send({
        tree_size: head.size,
        timestamp: head.signedAt.getTime(),
        sha256_root_hash: head.root.toString("base64"),
        tree_head_signature: treeHead(head).toString("base64"),
      });
    },
  );
  app.get(
    "/log/ct/v1/get-sth-consistency",
    withSchema(route("get-sth-consistency", "§4.4: proof that one tree is the beginning of another"), {
      querystring: sizes,
      response: get(Type.Object({ consistency: hashes })),
    }),
    async (request) => {
      const { first, second } = request.query;
      await within(deps, second, "second");
      if (first > second) throw badField("first", "is beyond `second`");
      return { consistency: encoded(await consistencyBetween(deps.db, first, second)) };
    },
  );
  app.get(
    "/log/ct/v1/get-proof-by-hash",
    withSchema(route("get-proof-by-hash", "§4.5: where an entry with that leaf hash stands, and the proof"), {
      querystring: byHash,
      response: get(Type.Object({ leaf_index: place, audit_path: hashes })),
    }),
    async (request) => {
      const { hash, tree_size: size } = request.query;
      const leafHash = Buffer.from(hash, "base64");
      if (leafHash.length !== 32 || leafHash.toString("base64") !== hash)
        throw badField("hash", "is not base64 of 32 bytes");
      await within(deps, size, "tree_size");
      const index = await indexOfLeaf(deps.db, leafHash, size);
      if (index === undefined) throw new DocksealError("not-found", { detail: `No such entry in the tree of ${size}` });
      return { leaf_index: index, audit_path: encoded(await inclusionAt(deps.db, index, size)) };
    },
  );
  app.get(
    "/log/ct/v1/get-entries",
    withSchema(route("get-entries", `§4.6: entries from \`start\` to \`end\`, at most ${MAX_ENTRIES} in one answer`), {
      querystring: range,
      response: get(Type.Object({ entries: Type.Array(entry) })),
    }),
    async (request) => {
      const { start, end } = request.query;
      const { size } = await signedHead(deps);
      if (start > end) throw badField("start", "is beyond `end`");
      if (start >= size) throw badField("start", `is beyond the signed tree of ${size}`);
      const leaves = await entriesBetween(deps.db, start, Math.min(end + 1, size, start + MAX_ENTRIES));
      return { entries: leaves.map((leaf) => ({ leaf_input: leaf.toString("base64"), extra_data: "" })) };
    },
  );
  app.get(
    "/log/ct/v1/get-roots",
    withSchema(route("get-roots", "§4.7: no root is accepted, for nothing can be submitted"), {
      response: get(Type.Object({ certificates: hashes })),
    }),
    async () => ({ certificates: [] }),
  );
  app.get(
    "/log/ct/v1/get-entry-and-proof",
    withSchema(route("get-entry-and-proof", "§4.8: an entry and its proof"), {
      querystring: byIndex,
      response: get(Type.Object({ ...entry.properties, audit_path: hashes })),
    }),
    async (request) => {
      const { leaf_index: index, tree_size: size } = request.query;
      await within(deps, size, "tree_size");
      if (index >= size) throw badField("leaf_index", `is beyond a tree of ${size}`);
      const [leaf = Buffer.of()] = await entriesBetween(deps.db, index, index + 1);
      const path = await inclusionAt(deps.db, index, size);
      return { leaf_input: leaf.toString("base64"), extra_data: "", audit_path: encoded(path) };
    },
  );
  app.get(
    "/log/ct/log-list.json",
    withSchema(route("log-list", "The log as a list of one, for log monitors; not part of"), {
      response: get(Type.Unknown()),
    }),
    async (request, reply) => {
      const key = createPublicKey(deps.treeHeadKey);
      const log = {
        description: deps.logKey.origin,
        log_id: ctLogId(key).toString("base64"),
        key: key.export({ format: "der", type: "spki" }).toString("base64"),
        url: `${request.protocol}://${request.host}/log/`,
        mmd: 1,
      };
      const operators = [{ name: deps.logKey.origin, email: [], logs: [log] }];
      return reply.header("cache-control", "no-store").send({ version: "1", operators });
    },
  );
}

/** One schema object a route, so that the OpenAPI document has summary and shapes together. */
function withSchema<R extends { schema: object }, S extends object>(
  route: R,
  schema: S,
): R & { schema: R["schema"] & S } {
  return { ...route, schema: { ...route.schema, ...schema } };
}

/** Signs each head once: every signature of ECDSA is another, and whoever compares should not wonder. */
function headSigner(deps: HttpDependencies): (head: TimedHead) => Buffer {
  let last: { size: number; signature: Buffer } | undefined;
  return ({ size, root, signedAt }) => {
    if (last?.size !== size) {
      last = { size, signature: signTreeHead({ size, root, timestamp: signedAt.getTime() }, deps.treeHeadKey) };
    }
    return last.signature;
  };
}

async function signedHead(deps: HttpDependencies): Promise<TimedHead> {
  const head = await newestHead(deps.db);
  if (head === undefined) throw new DocksealError("not-found", { detail: "The log has no entry yet" });
  return head;
}

/** @throws DocksealError `malformed-field` for a size that no signed tree has. */
async function within(deps: HttpDependencies, size: number, field: string): Promise<void> {
  const { size: newest } = await signedHead(deps);
  if (size < 1 || size > newest) throw badField(field, `is not a size from 1 to ${newest}`);
}

function badField(field: string, why: string): DocksealError {
  return new DocksealError("malformed-field", {
    detail: `${field} ${why}`,
    extra: { errors: [{ field, problem: why }] },
  });
}

function encoded(path: readonly Buffer[]): string[] {
  return path.map((hash) => hash.toString("base64"));
}
