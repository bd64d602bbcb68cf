import { open } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { forgetPeak, peakRssBytes } from "../bench/measured.ts";
import { Caller } from "../support/api.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { type ExportAnswer, untilAtRest, untilOver } from "../support/exports.ts";
import { startStack } from "../support/stack.ts";

const MiB = 1024 ** 2;
const most = 200 * MiB;

t.test("an export of 400 MiB raises the resident memory of the worker by less than 200 MiB", async (t) => {
  const stack = await startStack(t, { store: "s3", queue: "postgres" });
  const auditor = await Caller.person(stack, "auditor");
  const clip = async (sizeBytes: number): Promise<string> => {
    const path = join(stack.directory, `zeros-${sizeBytes}`);
    const file = await open(path, "w");
    await file.truncate(sizeBytes);
    await file.close();
    const answer = await sendClip(stack.url, stack.party.token, path, { ...someMetadata, sizeBytes });
    t.equal(answer.status, 201);
    return answer.json<{ id: string }>().id;
  };
  const exported = async (id: string): Promise<ExportAnswer> => {
    const asked = (await auditor.call("POST", `/api/v1/clips/${id}/exports`)).json<ExportAnswer>();
    return untilOver(auditor, asked.id, 300);
  };
  const [small, large] = [await clip(MiB), await clip(400 * MiB)];
  await untilAtRest(stack, 300);
  await exported(small); // what the process loads and compiles for its first export
  await forgetPeak(stack.work.pid);
  const before = await stack.work.residentBytes();
  const done = await exported(large);
  t.match(done, { state: "done", bytes: { done: 400 * MiB } });
  const raised = (await peakRssBytes(stack.work.pid)) - before;
  t.ok(raised < most, `raised by ${Math.round(raised / MiB)} MiB`);
});
