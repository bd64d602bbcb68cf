import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import type { ProblemCode } from "#kernel";
import { Caller } from "../support/api.ts";
import { untilDone } from "../support/console.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { sample } from "../support/derive-media.ts";
import { refusedWith } from "../support/refusals.ts";
import { startStack } from "../support/stack.ts";

interface Line {
  readonly type: string;
  readonly actor: string;
  readonly details: { readonly purpose?: string; readonly rendition?: string };
}

t.test("a person gets nothing of a clip before a purpose was stated, and each statement is logged", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres" });
  const { url, party } = stack;
  const path = await sample(stack.directory, "ready.mp4");
  const { id } = (await sendClip(url, party.token, path, someMetadata)).json<{ id: string }>();
  await writeFile(join(stack.directory, "other.txt"), "another clip");
  const other = (await sendClip(url, party.token, join(stack.directory, "other.txt"), someMetadata)).json<{
    id: string;
  }>();
  await untilDone(stack, id);
  const viewer = await Caller.person(stack, "supervisor");
  const { personId } = (await viewer.call("GET", "/api/v1/session")).json<{ personId: string }>();
  const viewings = async (): Promise<Line["details"][]> => {
    const { items } = (await viewer.call("GET", `/api/v1/clips/${id}/custody`)).json<{ items: Line[] }>();
    const viewed = items.filter(({ type }) => type === "clip.viewed");
    for (const { actor } of viewed) t.equal(actor, `person:${personId}`);
    return viewed.map(({ details: { purpose, rendition } }) => ({ purpose, ...(rendition && { rendition }) }));
  };
  const guarded = ["original", "playback", "sprite"].map((role) => `/api/v1/clips/${id}/${role}`);
  const closed = async (caller: Caller, what: string): Promise<void> => {
    for (const path of guarded) {
      refusedWith(t, await caller.call("GET", path), 403, "purpose-required", `GET ${path} ${what}`);
      t.equal((await caller.call("HEAD", path)).status, 403, `HEAD ${path} ${what}`);
      const range = await caller.call("GET", path, undefined, "-H", "range: bytes=0-9");
      refusedWith(t, range, 403, "purpose-required", `a range of ${path} ${what}`);
    }
  };
  const head = (path: string): Promise<{ status: number }> => viewer.call("HEAD", path);

  await closed(viewer, "before");
  t.equal((await head(`/api/v1/clips/${id}/poster`)).status, 200, "the picture of lists is no viewing");
  const refused: [what: string, body: unknown, code?: ProblemCode][] = [
    ["none", {}],
    ["an empty one", { purpose: "" }],
    ["spaces", { purpose: "  " }],
    ["a line break", { purpose: "办案\n" }],
    ["a control character", { purpose: "办\u0007案" }],
    ["half a character", { purpose: "办\ud800" }],
    ["too long", { purpose: "案".repeat(201) }],
    ["no text", { purpose: 1 }],
    ["more than a purpose", { purpose: "办案", rendition: "original" }, "unknown-field"],
  ];
  for (const [what, body, code = "malformed-field"] of refused) {
    refusedWith(t, await viewer.call("POST", `/api/v1/clips/${id}/viewings`, body), 400, code, what);
  }
  t.same(await viewings(), [], "what was refused is not logged");
  await closed(viewer, "after what was refused");

  const stated = await viewer.call("POST", `/api/v1/clips/${id}/viewings`, { purpose: "  监督检查 " });
  t.equal(stated.status, 201, stated.body);
  const viewing = stated.json<{ id: string; startedAt: string }>();
  t.match(viewing, { clipId: id, purpose: "监督检查" }, "spaces around it do not count");
  t.same(await viewings(), [{ purpose: "监督检查" }], "it is logged before anything is sent");
  for (const path of guarded) t.equal((await head(path)).status, 200, `then ${path} is there`);
  t.same(await viewings(), [{ purpose: "监督检查" }], "HEAD reads nothing");
  for (const path of guarded) {
    t.equal((await viewer.call("GET", path, undefined, "-o", "/dev/null")).status, 200, path);
  }
  const read = { purpose: "监督检查", rendition: "original" };
  t.same(await viewings(), [{ purpose: "监督检查" }, read], "the original is a copy of the evidence: said apart");

  const again = await viewer.call("POST", `/api/v1/clips/${id}/viewings`, { purpose: "监督检查" });
  t.equal(again.status, 200, "the same again is the same viewing");
  t.same(again.json(), viewing);
  const asked = Array.from({ length: 8 }, () =>
    viewer.call("POST", `/api/v1/clips/${id}/viewings`, { purpose: "案卷评查" }),
  );
  t.same((await Promise.all(asked)).map(({ status }) => status).sort(), [...Array(7).fill(200), 201], "at once too");
  await viewer.call("GET", `/api/v1/clips/${id}/original`, undefined, "-o", "/dev/null");
  const second = { purpose: "案卷评查" };
  t.same(
    await viewings(),
    [{ purpose: "监督检查" }, read, second, { ...second, rendition: "original" }],
    "another purpose is another viewing",
  );

  refusedWith(
    t,
    await viewer.call("GET", `/api/v1/clips/${other.id}/original`),
    403,
    "purpose-required",
    "a statement is of one clip",
  );
  await closed(await Caller.person(stack, "supervisor"), "in another session of the same person");
  await closed(await Caller.person(stack, "administrator"), "for somebody else");
});
