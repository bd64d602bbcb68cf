import { createHash, randomBytes } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { join } from "node:path";
import t from "tap";
import { Caller } from "../support/api.ts";
import { curl, sendClip, someMetadata } from "../support/curl.ts";
import { header, refusedWith } from "../support/refusals.ts";
import { startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

for (const store of ["filesystem", "s3"] as const) {
  t.test(`an original is read whole and in ranges, as players and courts do, ${store} store`, async (t) => {
    // Few connections to the database: how many readers at once had it open more would be counted below.
    const variables = { DOCKSEAL_DATABASE_POOL: "2" };
    const stack = await startStack(t, { store, queue: "postgres", withoutWorker: true, variables });
    const bytes = randomBytes(20_000_000);
    const size = bytes.length;
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const etag = `"${sha256}"`;
    const path = join(stack.directory, "执法 (1).mp4");
    await writeFile(path, bytes);
    const metadata = { ...someMetadata, fileName: "执法 (1).mp4" };
    const clip = (await sendClip(stack.url, stack.party.token, path, metadata)).json<{ id: string }>();
    const viewer = await Caller.person(stack, "supervisor");
    const url = `${stack.url}/api/v1/clips/${clip.id}/original`;
    const out = join(stack.directory, "out.bin");
    const read = async (...more: string[]) => {
      const saved = await curl(...viewer.headers, ...more, "-D", `${out}.head`, url, "--output", out);
      return saved.status;
    };
    const fetchRange = (headers: Record<string, string>) =>
      fetch(url, { headers: { cookie: viewer.headers[1]?.replace("cookie: ", "") ?? "", ...headers } });

    await viewer.view(clip.id);
    const head = await viewer.call("HEAD", `/api/v1/clips/${clip.id}/original`);
    t.equal(head.status, 200);
    t.equal(header(head, "content-length"), String(size), "HEAD tells the size");
    t.equal(header(head, "etag"), etag, "the entity tag is the SHA-256");
    t.equal(header(head, "accept-ranges"), "bytes");
    t.match(header(head, "content-disposition"), "filename*=UTF-8''%E6%89%A7%E6%B3%95%20%281%29.mp4");
    t.match(header(head, "content-security-policy"), "sandbox", "what was uploaded runs nothing in a browser");
    t.equal(await read(), 200);

    const ranges: [range: string, first: number, last: number][] = [
      ["bytes=0-0", 0, 0],
      ["bytes=0-99", 0, 99],
      ["bytes=100-", 100, size - 1],
      ["bytes=-1", size - 1, size - 1],
      ["bytes=-100", size - 100, size - 1],
      [`bytes=-${size + 5}`, 0, size - 1],
      [`bytes=${size - 1}-${size + 100}`, size - 1, size - 1],
      ["bytes=8388607-8388609", 8_388_607, 8_388_609],
    ];
    for (const [range, first, last] of ranges) {
      const answer = await fetchRange({ range });
      t.equal(answer.status, 206, `${range}: 206`);
      t.equal(answer.headers.get("content-range"), `bytes ${first}-${last}/${size}`, range);
      const body = Buffer.from(await answer.arrayBuffer());
      t.ok(body.equals(bytes.subarray(first, last + 1)), `${range}: those bytes`);
    }
    const rangedHead = await viewer.call("HEAD", `/api/v1/clips/${clip.id}/original`, undefined, "-r", "0-9");
    t.equal(rangedHead.status, 206, "HEAD of a range");
    t.equal(header(rangedHead, "content-length"), "10");
    for (const range of [`bytes=${size}-`, "bytes=-0", `bytes=${size + 1}-${size + 2}`]) {
      const answer = await curl(...viewer.headers, "-H", `range: ${range}`, url);
      refusedWith(t, answer, 416, "range-not-satisfiable", range);
      t.equal(header(answer, "content-range"), `bytes */${size}`, "it tells the size");
      t.notOk(header(answer, "content-disposition"), "a problem is no download");
    }
    const wholes: [what: string, headers: Record<string, string>][] = [
      ["no range", {}],
      ["several ranges", { range: "bytes=0-1,4-5" }],
      ["another unit", { range: "seconds=0-1" }],
      ["a range upside down", { range: "bytes=9-1" }],
      ["a range of something else", { range: "bytes=0-9", "if-range": '"other"' }],
      ["a range with a weak tag", { range: "bytes=0-9", "if-range": `W/${etag}` }],
    ];
    for (const [what, headers] of wholes) {
      const answer = await fetchRange(headers);
      t.equal(answer.status, 200, `${what}: the whole`);
      const digest = createHash("sha256").update(Buffer.from(await answer.arrayBuffer()));
      t.equal(digest.digest("hex"), sha256, `${what}: byte for byte`);
    }
    const held = await fetchRange({ range: "bytes=0-9", "if-range": etag });
    t.equal(held.status, 206, "If-Range with the tag of now");
    await held.arrayBuffer();
    for (const tag of [etag, `"x", ${etag}`, "*", `W/${etag}`]) {
      t.equal((await fetchRange({ "if-none-match": tag })).status, 304, `If-None-Match ${tag}: not sent again`);
    }

    // A player that seeks: it leaves in the middle of many ranges.
    const descriptors = () => readdir(`/proc/${stack.serve.pid}/fd`).then((names) => names.length);
    const cookie = viewer.headers[1]?.replace("cookie: ", "") ?? "";
    const leave = (start: number) =>
      new Promise<void>((resolve, reject) => {
        const asked = get(url, { agent: false, headers: { cookie, range: `bytes=${start}-` } }, (response) => {
          response.once("data", () => response.destroy());
          response.once("close", resolve);
        });
        asked.on("error", reject);
      });
    const storm = (round: number) =>
      Promise.all(Array.from({ length: 20 }, (_, at) => leave((round * 20 + at) * 50_000)));
    await storm(0); // whatever so many readers need is open from here on
    const before = await descriptors();
    for (let round = 0; round < 10; round += 1) await storm(round);
    // Some are open for a while after whoever read is gone; none may stay.
    const after = await until("few files and sockets are open", async () => {
      const now = await descriptors();
      return now <= before + 8 && now;
    });
    t.ok(after <= before + 8, `200 reads that were left leave no open file or socket (${before} → ${after})`);
    t.equal(await read("-r", "0-9"), 206, "and the next read works");
    t.equal((await curl(`${stack.url}/readyz`)).status, 200);

    const viewings = async () => {
      const answer = await viewer.call("GET", `/api/v1/clips/${clip.id}/custody`);
      const { items } = answer.json<{ items: { type: string; details: { rendition?: string } }[] }>();
      const viewed = items.filter((item) => item.type === "clip.viewed");
      return [viewed.length, viewed.filter(({ details }) => details.rendition === "original").length];
    };
    t.same(await viewings(), [2, 1], "all of that is one viewing of one session, and one read of the original");
    const second = await Caller.person(stack, "supervisor");
    await second.view(clip.id);
    await Promise.all(Array.from({ length: 8 }, () => curl(...second.headers, "-r", "0-9", "-o", `${out}.2`, url)));
    t.same(await viewings(), [4, 2], "another session is another, also when a player asks eight times at once");
    refusedWith(t, await viewer.call("GET", `/api/v1/clips/${clip.id}/playback`), 409, "no-playback", "no copy yet");
    refusedWith(t, await viewer.call("GET", `/api/v1/clips/${clip.id}/poster`), 404, "not-found", "no poster yet");
    t.same(await viewings(), [4, 2], "what is not there is not viewed");
  });
}
