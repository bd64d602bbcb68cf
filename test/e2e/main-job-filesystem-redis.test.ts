import t from "tap";
import { mainJob } from "./main-job.ts";

t.test("the main job with the filesystem store and the queue on redis", (t) =>
  mainJob(t, { store: "filesystem", queue: "redis" }),
);
