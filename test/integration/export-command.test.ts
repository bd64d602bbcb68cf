import { randomBytes } from "node:crypto";
import { chmod, readdir } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import t from "tap";
import { Caller } from "../support/api.ts";
import {
  caseIdOf,
  type ExportAnswer,
  exportCommand,
  flipByte,
  linesToType,
  send,
  shell,
  untilAtRest,
  untilOver,
} from "../support/exports.ts";
import { startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const number = "测试〔2026〕第8号";
const about = { caseNumber: number, evidencePurpose: "证明现场检查过程" };

t.test("dockseal export", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres" });
  const { db } = stack;
  const clip = await send(stack, randomBytes(3_000_000), { ...about, fileName: "一.bin" });
  const second = await send(stack, randomBytes(2_000_000), { ...about, fileName: "二.bin" });
  await untilAtRest(stack);
  const caseId = await caseIdOf(stack, number);
  const name = `case-${number}`;
  const refused = async (t: Tap, args: string[], code: number, words: RegExp) => {
    const out = join(stack.directory, `out-${randomBytes(4).toString("hex")}`);
    const error = await exportCommand(stack, ...args, "--out", out).catch((failure) => failure);
    t.equal(error.code, code, error.stderr);
    t.match(error.stderr, words);
    t.strictSame(await readdir(out).catch(() => []), [], "nothing is left behind");
  };

  await t.test("writes a case as a folder, prints where, and logs it", async (t) => {
    const out = join(stack.directory, "out");
    const { stdout, stderr } = await exportCommand(stack, "--case", number, "--out", out);
    t.equal(stdout, `${join(out, name)}\n`);
    t.match(stderr, /100 % of 5000000 bytes, 2 of 2 files/, "progress goes to standard error");
    t.strictSame(await readdir(out), [name]);
    for (const line of await linesToType(join(out, name))) t.ok(typeof (await shell(join(out, name), line)), line);
    const events = await db.selectFrom("custodyEvent").selectAll().where("type", "=", "case.exported").execute();
    t.equal(events.length, 1);
    const tags = await shell(join(out, name), "sha256sum tagmanifest-sha256.txt");
    t.match(events[0]?.details, { tagManifestSha256: tags.slice(0, 64), payloadFiles: Number });
    const again = await exportCommand(stack, "--case", number, "--out", out).catch((error) => error);
    t.equal(again.code, 2, "a bag that exists is refused");
    t.match(again.stderr, /exists already/);
    t.ok(typeof (await shell(join(out, name), "sha256sum --quiet -c tagmanifest-sha256.txt")), "and stays");
  });

  await t.test("writes a clip as a folder, as JSON for programs", async (t) => {
    const out = join(stack.directory, "out");
    const { stdout } = await exportCommand(stack, "--clip", clip, "--out", out, "--json");
    t.match(JSON.parse(stdout), { path: join(out, `clip-${clip}`), payloadFiles: Number, tagManifestSha256: String });
    t.equal((await db.selectFrom("custodyEvent").where("type", "=", "clip.exported").select("id").execute()).length, 1);
  });

  await t.test("says what is wrong with what it is asked", async (t) => {
    await refused(t, ["--case", "none"], 2, /there is no case none/);
    await refused(t, ["--clip", "x"], 2, /id of a clip/);
    await refused(t, ["--clip", clip, "--case", number], 2, /either --case or --clip/);
    const { organizationId } = stack.otherParty;
    await db.insertInto("caseFile").values({ id: crypto.randomUUID(), organizationId, number }).execute();
    await refused(t, ["--case", number], 2, /several organizations/);
    const { name: organization } = await db
      .selectFrom("organization")
      .select("name")
      .where("id", "=", organizationId)
      .executeTakeFirstOrThrow();
    await refused(t, ["--case", number, "--organization", organization], 1, /no clip is bound/);
  });

  await t.test("without a font it says which variable to set, over HTTP as well", async (t) => {
    const fontless = { ...stack, environment: { ...stack.environment, DOCKSEAL_PDF_FONT: "/nowhere.ttf" } };
    const error = await exportCommand(fontless, "--clip", clip, "--out", stack.directory).catch((failure) => failure);
    t.equal(error.code, 2);
    t.match(error.stderr, /DOCKSEAL_PDF_FONT/);
  });

  await t.test("a clip that is not sealed yet is named and refused, over HTTP as well", async (t) => {
    const handler = await Caller.person(stack, "handler");
    await stack.work.stop();
    const unsealed = await send(stack, randomBytes(500), { fileName: "三.bin" });
    await refused(t, ["--clip", unsealed], 1, new RegExp(`not sealed yet: ${unsealed}`));
    const answer = await handler.call("POST", `/api/v1/clips/${unsealed}/exports`);
    t.equal(answer.status, 409);
    t.match(answer.json(), { type: "/problems/export-refused", detail: RegExp(unsealed) });
    await stack.work.start();
    await untilAtRest(stack);
    const asked = await handler.call("POST", `/api/v1/clips/${unsealed}/exports`);
    t.equal(asked.status, 202, "and taken once it is sealed");
    const { id } = asked.json<ExportAnswer>();
    const early = await handler.call("GET", `/api/v1/exports/${id}/bag`);
    if (early.status !== 200) t.match(early.json(), { type: "/problems/export-not-done" });
    t.equal((await untilOver(handler, id)).state, "done");
  });

  await t.test("bags are removed after a while, and the row says so", async (t) => {
    const handler = await Caller.person(stack, "handler");
    const { id } = (await handler.call("POST", `/api/v1/cases/${caseId}/exports`)).json<ExportAnswer>();
    t.equal((await untilOver(handler, id)).state, "done");
    await t.rejects(sql`UPDATE export SET sha256 = ${"0".repeat(64)}`.execute(db), /never rewritten/);
    await sql`ALTER TABLE export DISABLE TRIGGER outcome_stays`.execute(db);
    await sql`UPDATE export SET finished_at = finished_at - interval '14 days 1 hour' WHERE id = ${id}`.execute(db);
    await sql`ALTER TABLE export ENABLE TRIGGER outcome_stays`.execute(db);
    await until("the bag is let go", async () => {
      return (await handler.call("GET", `/api/v1/exports/${id}`)).json<ExportAnswer>().removedAt !== null;
    });
    const gone = await handler.call("GET", `/api/v1/exports/${id}/bag`);
    t.equal(gone.status, 410);
    t.match(gone.json(), { type: "/problems/export-removed" });
    const key = await db.selectFrom("export").select("objectKey").where("id", "=", id).executeTakeFirstOrThrow();
    await until("the sweeper has removed it", async () => {
      await sql`UPDATE store_intent SET alive_at = alive_at - interval '1 hour', swept_at = swept_at - interval '1 hour'`.execute(
        db,
      );
      return (await db.selectFrom("storeIntent").select("objectKey").execute()).length === 0;
    });
    const left = await readdir(join(stack.directory, "evidence"), { recursive: true });
    t.strictSame(
      left.filter((path) => path.includes(key.objectKey?.split("/").at(-1) ?? "?")),
      [],
    );
  });

  await t.test(
    "an original that differs, or is gone, fails the export, is named, and goes into quarantine",
    async (t) => {
      const { objectKey } = await db
        .selectFrom("clip")
        .select("objectKey")
        .where("id", "=", second)
        .executeTakeFirstOrThrow();
      const stored = await shell(
        stack.directory,
        `find evidence -path "*${objectKey.split("/").at(-1)}*" -type f -size +100k`,
      );
      const path = join(stack.directory, stored.trim().split("\n")[0] ?? "");
      await chmod(path, 0o600);
      await flipByte(path);
      await refused(t, ["--case", number, "--organization", await organizationOf(stack)], 1, new RegExp(second));
      const handler = await Caller.person(stack, "handler");
      const { id } = (await handler.call("POST", `/api/v1/cases/${caseId}/exports`)).json<ExportAnswer>();
      t.match(await untilOver(handler, id), { state: "failed", problem: { code: "object-differs" } });
      await until("the clip is in quarantine", async () => {
        const row = await db.selectFrom("clip").select("state").where("id", "=", second).executeTakeFirst();
        return row?.state === "quarantined";
      });
      const again = await handler.call("POST", `/api/v1/cases/${caseId}/exports`);
      t.equal(again.status, 409);
      t.match(again.json(), { type: "/problems/quarantined", detail: RegExp(second) });
      await refused(t, ["--case", number, "--organization", await organizationOf(stack)], 1, new RegExp(second));
      const intents = await db.selectFrom("storeIntent").select("objectKey").where("sweptAt", "is", null).execute();
      t.strictSame(intents, [], "no half of a tar is left");

      await shell(
        stack.directory,
        `rm -f "$(find evidence -path "*${(await keyOf(clip)).split("/").at(-1)}*" -type f -size +100k)"`,
      );
      await refused(t, ["--clip", clip], 1, /is missing/);
    },
  );

  async function keyOf(id: string): Promise<string> {
    return (await db.selectFrom("clip").select("objectKey").where("id", "=", id).executeTakeFirstOrThrow()).objectKey;
  }

  async function organizationOf({ party }: typeof stack): Promise<string> {
    const row = await db
      .selectFrom("organization")
      .select("name")
      .where("id", "=", party.organizationId)
      .executeTakeFirst();
    return row?.name ?? "";
  }
});

type Tap = Pick<typeof t, "equal" | "match" | "strictSame">;
