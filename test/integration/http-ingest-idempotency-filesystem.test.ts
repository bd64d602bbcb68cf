import t from "tap";
import { ingestIdempotency } from "./http-ingest-idempotency.ts";

t.test("the same recording is one clip, filesystem store", (t) =>
  ingestIdempotency(t, { store: "filesystem", queue: "postgres" }),
);
