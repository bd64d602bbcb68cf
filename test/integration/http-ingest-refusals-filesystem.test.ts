import t from "tap";
import { ingestRefusals } from "./http-ingest-refusals.ts";

t.test("a refused upload leaves nothing, filesystem store", (t) =>
  ingestRefusals(t, { store: "filesystem", queue: "postgres" }),
);
