import t from "tap";
import { mainJob } from "./main-job.ts";

t.test("the main job with the s3 store and the queue on postgres", (t) =>
  mainJob(t, { store: "s3", queue: "postgres" }),
);
