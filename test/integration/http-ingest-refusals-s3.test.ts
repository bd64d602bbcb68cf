import t from "tap";
import { ingestRefusals } from "./http-ingest-refusals.ts";

t.test("a refused upload leaves nothing, S3 store", (t) => ingestRefusals(t, { store: "s3", queue: "postgres" }));
