import t from "tap";
import { mainJob } from "./main-job.ts";

t.test("the main job with the filesystem store and the queue on postgres", (t) =>
  mainJob(t, { store: "filesystem", queue: "postgres" }),
);
