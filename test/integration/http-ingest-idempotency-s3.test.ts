import t from "tap";
import { ingestIdempotency } from "./http-ingest-idempotency.ts";

t.test("the same recording is one clip, s3 store", (t) => ingestIdempotency(t, { store: "s3", queue: "postgres" }));
