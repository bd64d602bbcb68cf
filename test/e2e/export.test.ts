import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { Caller } from "../support/api.ts";
import { bareNode } from "../support/bare-node.ts";
import { ffmpeg, scratch } from "../support/derive-media.ts";
import {
  caseIdOf,
  type ExportAnswer,
  filesOf,
  flipByte,
  linesToType,
  send,
  shell,
  untilAtRest,
  untilOver,
} from "../support/exports.ts";
import { header } from "../support/refusals.ts";
import { startStack } from "../support/stack.ts";

const run = promisify(execFile);
const number = "测试〔2026〕第7号";
const strangeName = `现场 检查‮\u{1F4F9}${"长".repeat(70)}.mp4`;

t.test(
  "a case exported over HTTP is a bag that strangers' programs accept, and refuse after one changed byte",
  async (t) => {
    const stack = await startStack(t, { store: "filesystem", queue: "postgres" });
    const handler = await Caller.person(stack, "handler");
    const about = { caseNumber: number, evidencePurpose: "证明现场检查过程", place: { text: "人民路1号" } };
    const film = join(await scratch(t), "film.mp4");
    await ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:d=2", "-c:v", "libx264", "-pix_fmt", "yuv420p", film);
    const video = await send(stack, await readFile(film), { ...about, fileName: strangeName, kind: "video" });
    const record = await send(stack, Buffer.from("检查笔录\n一切正常\n".repeat(40)), {
      ...about,
      ...{ fileName: "..笔录%0A.txt", kind: "text" },
    });
    const other = await send(stack, randomBytes(5_000_000), { ...about, fileName: "con.bin" });
    const withdrawn = await send(stack, randomBytes(1000), { ...about, fileName: "withdrawn.bin" });
    await untilAtRest(stack);
    const caseId = await caseIdOf(stack, number);
    const bindings = (await handler.call("GET", `/api/v1/cases/${caseId}`)).json<{
      bindings: { id: string; clipId: string }[];
    }>().bindings;
    const binding = bindings.find(({ clipId }) => clipId === withdrawn);
    const taken = await handler
      .with('if-match: "1"')
      .call("PATCH", `/api/v1/bindings/${binding?.id}`, { withdrawn: true, reason: "误绑定" });
    t.equal(taken.status, 200, "one clip is taken out of the case again");

    const asked = await handler.call("POST", `/api/v1/cases/${caseId}/exports`);
    t.equal(asked.status, 202, asked.body);
    const { id } = asked.json<ExportAnswer>();
    t.equal(header(asked, "location"), `/api/v1/exports/${id}`);
    const done = await untilOver(handler, id);
    t.match(done, { state: "done", problem: null, name: `case-${number}.tar` });
    t.ok(done.files.total !== null && done.files.total > 3, "playable copies are counted as well");
    t.equal(done.files.done, done.files.total);
    t.equal(done.bytes.done, done.bytes.total);

    await t.test("the tar comes whole and in ranges under a strong ETag", async (t) => {
      const url = `${stack.url}/api/v1/exports/${id}/bag`;
      const tar = join(stack.directory, "bag.tar");
      await run("curl", ["-sS", "-f", ...handler.headers, "-o", tar, url]);
      const bytes = await readFile(tar);
      t.equal(bytes.length, done.sizeBytes);
      t.equal(createHash("sha256").update(bytes).digest("hex"), done.sha256);
      const got = await run(
        "curl",
        ["-sS", ...handler.headers, "-r", "1024-1535", "-o", "part", "-w", "%{http_code}", url],
        {
          cwd: stack.directory,
        },
      );
      t.equal(got.stdout, "206");
      t.strictSame(await readFile(join(stack.directory, "part")), bytes.subarray(1024, 1536));
      const head = await handler.call("HEAD", `/api/v1/exports/${id}/bag`);
      t.equal(header(head, "etag"), `"${done.sha256}"`);
      t.match(header(head, "content-disposition"), encodeURIComponent(`case-${number}.tar`));
      const again = await handler.with(`if-none-match: "${done.sha256}"`).call("GET", `/api/v1/exports/${id}/bag`);
      t.equal(again.status, 304);
      await shell(stack.directory, "tar -xf bag.tar");
    });
    const bag = join(stack.directory, `case-${number}`);

    await t.test("what is in it", async (t) => {
      const files = await filesOf(bag);
      const payload = files.filter((file) => file.startsWith("data/"));
      const originals = payload.filter((file) => /^data\/(originals|text-records)\//.test(file));
      t.strictSame(originals.map((file) => file.split("/")[2]).sort(), [video, record, other].sort());
      t.ok(originals.includes(`data/text-records/${record}/_.笔录_0A.txt`), "text records apart, under a safe name");
      t.ok(originals.includes(`data/originals/${other}/_con.bin`), "no device name of Windows");
      const longest = originals.find((file) => file.includes(video)) ?? "";
      t.match(longest, /\.mp4$/);
      t.ok(Buffer.byteLength(longest.split("/").at(-1) ?? "") <= 200 && !longest.includes("‮"));
      t.ok(payload.includes(`data/playable/${video}/playback.mp4`));
      t.ok(payload.includes(`data/playable/${video}/derivatives.json`));
      for (const clip of [video, record, other]) t.ok(payload.includes(`data/receipts/${clip}.receipt.json`));
      t.ok(payload.includes(`data/seals/${other}.sigstore.json`));
      t.notOk(payload.includes(`data/seals/${record}.sigstore.json`), "nothing is published of a text record");
      const entries = payload.filter((file) => file.endsWith(".entry.json"));
      const proofs = payload.filter((file) => file.endsWith(".proof.txt"));
      const openings = payload.filter((file) => file.endsWith(".opening.json"));
      const published = entries.filter((file) => file.includes("clip.seal-published"));
      t.equal(proofs.length, entries.length, "each event is proven");
      t.equal(openings.length, entries.length - published.length, "and opened");
      for (const type of ["clip.received", "clip.sealed", "clip.bound", "clip.unbound", "case.opened"]) {
        t.ok(
          entries.some((file) => file.endsWith(`.${type}.entry.json`)),
          type,
        );
      }
      const checkpoint = await readFile(join(bag, "log/checkpoint"), "utf8");
      for (const file of proofs) {
        const proof = await readFile(join(bag, file), "utf8");
        t.ok(proof.endsWith(`\n\n${checkpoint}`), `${file} leads to the bag's checkpoint`);
      }
      const file = JSON.parse(await readFile(join(bag, "data/case.json"), "utf8"));
      t.equal(file.number, number);
      const revisions = file.bindings.filter(({ clipId }: { clipId: string }) => clipId === withdrawn);
      t.equal(revisions.length, 2, "both revisions of the binding that was withdrawn");
      const list = JSON.parse(await readFile(join(bag, "data/electronic-data-list.json"), "utf8"));
      t.match(list, { title: "电子数据清单", exportedBy: { name: "handler", role: "handler" } });
      t.match(list.items[0], { categoryName: "视频", fileName: strangeName, capturePlace: "人民路1号" });
      t.match(list.items[1], { categoryName: "文本", fileFormat: "TXT" });
      const pdf = await shell(bag, "pdftotext -layout data/electronic-data-list.pdf -");
      for (const { sha256, sm3 } of list.items) t.ok(pdf.includes(sha256) && pdf.includes(sm3), "digests in the PDF");
      for (const words of ["电子数据清单", number, "证明现场检查过程", "办案人员"]) t.match(pdf, words);
    });

    await t.test("sha256sum, sha512sum, find and openssl accept it, and every line of VERIFY.txt works", async (t) => {
      for (const line of await linesToType(bag)) t.ok(typeof (await shell(bag, line)), line);
      const [oxum = ""] =
        (await readFile(join(bag, "bag-info.txt"), "utf8")).match(/(?<=Payload-Oxum: )\d+\.\d+/) ?? [];
      const sizes = (await shell(bag, 'find data -type f -printf "%s\\n"')).trim().split("\n");
      const bytes = sizes.reduce((sum, size) => sum + Number(size), 0);
      t.equal(oxum, `${bytes}.${sizes.length}`, "Payload-Oxum");
      const tags = (await readFile(join(bag, "tagmanifest-sha256.txt"), "utf8")).trim().split("\n").length;
      const rest = (await filesOf(bag)).filter((file) => !/^(data|signature)\/|^tagmanifest-/.test(file));
      t.equal(tags, rest.length, "every tag file is listed");
      const manifest = await readFile(join(bag, "tagmanifest-sha256.txt"));
      t.equal(createHash("sha256").update(manifest).digest("hex"), done.tagManifestSha256);
    });

    await t.test("dockseal verify accepts it with the keys of the installation", async (t) => {
      const cli = join(import.meta.dirname, "../../src/cli/dockseal.ts");
      const args = [cli, "verify", bag, "--trust", join(bag, "keys/trust.json")];
      const { stdout } = await run("env", bareNode(...args)).catch((error) => error);
      t.match(
        stdout,
        /\n {2}OK\n/,
        stdout
          .split("\n")
          .filter((line: string) => /FAILED|not checked/.test(line))
          .join("\n"),
      );
      t.notMatch(stdout, /FAILED/);
    });

    await t.test("one changed byte is refused, wherever it is", async (t) => {
      const lines = await linesToType(bag);
      const line = (start: string) => lines.find((candidate) => candidate.startsWith(start)) ?? `no line ${start}`;
      const digests = [line("sha256sum"), line("sha512sum")];
      const overAll = [line("openssl cms -verify"), line("openssl ts -verify")];
      const changes: [file: RegExp, refused: readonly string[]][] = [
        [/^data\/originals\//, [...digests, line("cut "), line("(for receipt")]],
        [/^data\/text-records\//, [...digests, line("cut "), line("(for receipt")]],
        [/playback\.mp4$/, digests],
        [/\.pdf$/, digests],
        [/data\/case\.json$/, digests],
        [/\.opening\.json$/, digests],
        [/^VERIFY\.txt$/, digests],
        [/^log\/checkpoint$/, digests],
        [/^manifest-sha512\.txt$/, digests],
        [/^tagmanifest-sha256\.txt$/, [line("sha256sum"), ...overAll]],
        [/\.p7s$/, [line("openssl cms -verify")]],
        [/\.tst$/, [line("openssl ts -verify")]],
      ];
      const files = await filesOf(bag);
      for (const [pattern, refused] of changes) {
        const file = files.find((name) => pattern.test(name)) ?? `no file ${pattern}`;
        const restore = await flipByte(join(bag, file));
        for (const command of refused) await t.rejects(shell(bag, command), /Command failed/, `${file}: ${command}`);
        await restore();
      }
      await writeFile(join(bag, "data/added"), "x");
      await t.rejects(shell(bag, line("test ")), { code: 1 }, "a file that was added");
      await rm(join(bag, "data/added"));
      for (const command of [...digests, line("test ")]) t.ok(typeof (await shell(bag, command)), `again: ${command}`);
    });

    await t.test("who exported and who fetched stands in the chain of custody", async (t) => {
      const events = await stack.db.selectFrom("custodyEvent").selectAll().where("caseId", "=", caseId).execute();
      const exported = events.filter(({ type }) => type === "case.exported");
      t.equal(exported.length, 1);
      t.match(exported[0]?.details, {
        exportId: id,
        tagManifestSha256: done.tagManifestSha256,
        by: { name: "handler" },
      });
      t.equal(JSON.parse(String(exported[0]?.leaf)).subject.export, id, "the leaf names the export");
      t.equal(
        events.filter(({ type }) => type === "case.export-fetched").length,
        1,
        "a session's ranges are one fetch",
      );
    });

    await t.test("only the organization's own people see it", async (t) => {
      const stranger = await Caller.person(stack, "administrator", stack.otherParty);
      for (const [method, path] of [
        ["POST", `/api/v1/cases/${caseId}/exports`],
        ["POST", `/api/v1/clips/${video}/exports`],
        ["GET", `/api/v1/exports/${id}`],
        ["GET", `/api/v1/exports/${id}/bag`],
      ] as const) {
        t.equal((await stranger.call(method, path)).status, 404, `${method} ${path}`);
        t.equal((await Caller.nobody(stack).call(method, path)).status, 401);
        t.equal((await Caller.station(stack).call(method, path)).status, 403);
      }
      for (const role of ["supervisor", "auditor", "administrator"] as const) {
        const caller = await Caller.person(stack, role);
        t.equal((await caller.call("GET", `/api/v1/exports/${id}`)).status, 200, role);
      }
    });

    await t.test("one clip alone", async (t) => {
      const auditor = await Caller.person(stack, "auditor");
      const { id: ofClip } = (await auditor.call("POST", `/api/v1/clips/${record}/exports`)).json<ExportAnswer>();
      t.match(await untilOver(auditor, ofClip), { state: "done", name: `clip-${record}.tar` });
      await run("curl", [
        "-sS",
        "-f",
        ...auditor.headers,
        "-o",
        join(stack.directory, "clip.tar"),
        `${stack.url}/api/v1/exports/${ofClip}/bag`,
      ]);
      await shell(stack.directory, "tar -xf clip.tar");
      const folder = join(stack.directory, `clip-${record}`);
      for (const line of await linesToType(folder)) t.ok(typeof (await shell(folder, line)), line);
      const cli = join(import.meta.dirname, "../../src/cli/dockseal.ts");
      const { stdout } = await run("env", bareNode(cli, "verify", folder, "--trust", join(folder, "keys/trust.json")));
      t.match(stdout, /\n {2}OK\n/);
    });
  },
);
