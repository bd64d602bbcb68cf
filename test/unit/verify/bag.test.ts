import fc from "fast-check";
import t from "tap";
import { commit, encodeLeaf, encodeOpening, noteKeyPair, parseLeaf } from "#evidence";
import { type Trust, type Verdict, verifyBag } from "#verify";
import { root } from "../../support/forged-timestamps.ts";
import {
  type BagWish,
  CASE,
  type Change,
  type Files,
  ORIGINAL,
  readerOf,
  sampleBag,
} from "../../support/sample-bag.ts";
import { CLIP, SEALED_AT } from "../../support/sealed-clip.ts";

const failures = ({ checks }: Verdict): string[] => [
  ...new Set(checks.filter(({ status }) => status === "failed").map(({ name }) => name)),
];
const found = async (wish: BagWish, trust?: Trust): Promise<string[]> => {
  const bag = await sampleBag(wish);
  const verdict = await verifyBag(readerOf(bag.files), { trust: trust ?? bag.trust });
  t.equal(verdict.ok, failures(verdict).length === 0);
  return failures(verdict);
};
const edited =
  (path: string, edit: (text: string) => string): Change =>
  (files) =>
    files.set(path, Buffer.from(edit((files.get(path) as Buffer).toString())));
interface Lists {
  readonly clips: readonly object[];
  readonly items: readonly object[];
  readonly bindings: readonly Record<string, unknown>[];
}
const json = (path: string, edit: (value: Lists) => unknown): Change =>
  edited(path, (text) => JSON.stringify(edit(JSON.parse(text))));
const moved =
  (from: string, to: string): Change =>
  (files) => {
    files.set(to, files.get(from) as Buffer);
    files.delete(from);
  };
const removed =
  (path: string): Change =>
  (files) =>
    void files.delete(path);

/** The files of a custody event, removed or under another name. */
const event =
  (stem: string, to?: string): Change =>
  (files) => {
    for (const end of [".entry.json", ".opening.json", ".proof.txt"]) {
      const content = files.get(stem + end);
      files.delete(stem + end);
      if (content !== undefined && to !== undefined) files.set(to + end, content);
    }
  };

const RECEIPT = `data/receipts/${CLIP}.receipt.json`;
const SEAL = `data/seals/${CLIP}.sigstore.json`;
const CASE_FILE = "data/case.json";
const LIST = "data/electronic-data-list.json";
const SEALED = "data/custody/000000000002.clip.sealed";
const BOUND = "data/custody/000000000005.clip.bound";
const PUBLISHED = "data/custody/000000000009.clip.seal-published";

t.test("a right bag of a case or of a clip passes every check", async (t) => {
  const { files, trust } = await sampleBag();
  const verdict = await verifyBag(readerOf(files), { trust, now: SEALED_AT });
  t.match(verdict, {
    ok: true,
    originals: 1,
    caseNumber: "演示〔2026〕第1号",
    signedBy: "CN=dockseal export",
    timestampedAt: "2026-11-22T00:15:00.120Z",
  });
  t.same(
    verdict.checks.filter(({ status }) => status !== "passed").map(({ name, detail }) => [name, detail]),
    [
      ["custody-opening", "1 of 6: a published seal says all that it says in the log"],
      ["receipt: timestamp-renewals", "1 of 1: the timestamp was not renewed"],
      ["receipt: timestamp-independent", "1 of 1: the authority belongs to the log's keeper"],
      ["case-bindings", "1 of 4: it moved the clip to another case, whose events are not in this bag"],
    ],
  );
  const late = await verifyBag(readerOf(files), { trust, now: new Date("2050-01-01T00:00:00Z") });
  const failures = late.checks.filter(({ status }) => status === "failed").map(({ name }) => name);
  t.same(failures, ["receipt: timestamp-current"], "no longer after the authority's certificate has ended");
  const clip = await sampleBag({ ofClip: true });
  const ofClip = await verifyBag(readerOf(clip.files), { trust: clip.trust });
  t.ok(ofClip.ok);
  t.notOk("caseNumber" in ofClip);
});

t.test("without a trust file the keys are the bag's own word, and what that leaves open is said", async (t) => {
  const { files } = await sampleBag();
  const verdict = await verifyBag(readerOf(files));
  t.ok(verdict.ok);
  const open = verdict.checks.filter(({ status }) => status === "not-checked").map(({ name }) => name);
  for (const name of ["export-signer-trusted", "export-timestamp-trusted", "log-key-trusted", "checkpoint-witnessed"]) {
    t.ok(open.includes(name), name);
  }
});

t.test("keys that are not trusted fail; what the trust file does not speak of is not checked", async (t) => {
  const { files, trust } = await sampleBag();
  const status = async (given: Trust, name: string) =>
    (await verifyBag(readerOf(files), { trust: given })).checks.find((check) => check.name === name)?.status;
  const { logs, timestampRoots } = trust;
  t.equal(await status({ logs, timestampRoots }, "export-signer-trusted"), "not-checked");
  t.equal(await status({ logs, timestampRoots }, "checkpoint-witnessed"), "not-checked");
  const other = root().pem;
  t.equal(await status({ ...trust, exportRoots: [other] }, "export-signer-trusted"), "failed");
  t.equal(await status({ ...trust, timestampRoots: [other] }, "export-timestamp-trusted"), "failed");
  t.equal(await status({ ...trust, logs: [noteKeyPair("l", Buffer.alloc(32)).vkey] }, "log-key-trusted"), "failed");
  const keys = [noteKeyPair("court.example", Buffer.alloc(32, 3), "cosignature").vkey];
  t.equal(await status({ ...trust, witnesses: { threshold: 1, keys } }, "checkpoint-witnessed"), "failed");
});

t.test("one changed byte anywhere in the bag is noticed, and so is a missing file", async (t) => {
  const { files, trust } = await sampleBag();
  const paths = [...files.keys()];
  const noticed = fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), fc.nat(), fc.integer({ min: 1, max: 255 }), async (path, n, mask) => {
      const bytes = Buffer.from(files.get(path) as Buffer);
      bytes[n % bytes.length] = (bytes[n % bytes.length] as number) ^ mask;
      const { ok } = await verifyBag(readerOf(new Map(files).set(path, bytes)), { trust });
      if (ok) throw new Error(`${path}, byte ${n % bytes.length}, mask ${mask}: accepted`);
    }),
    { numRuns: 150 },
  );
  await t.resolves(noticed);
  for (const path of paths) {
    const fewer: Files = new Map(files);
    fewer.delete(path);
    t.notOk((await verifyBag(readerOf(fewer), { trust })).ok, `without ${path}`);
  }
});

t.test("what was changed after signing fails where it was changed", async (t) => {
  const last = (list: string) => (text: string) => text.slice(0, text.lastIndexOf("\n", text.length - 2) + 1) + list;
  for (const [why, after, expected] of [
    [
      "a playable copy",
      edited(`data/playable/${CLIP}/playback.mp4`, () => "b playable copy"),
      ["manifest-sha256", "manifest-sha512", "sm3-digests"],
    ],
    [
      "one more file",
      (files) => files.set("data/more", Buffer.of()),
      ["payload-oxum", "manifest-sha256", "manifest-sha512", "sm3-digests"],
    ],
    ["one more tag file", (files) => files.set("more.txt", Buffer.of()), ["tagmanifest-sha256", "tagmanifest-sha512"]],
    [
      "one more signature",
      (files) => files.set("signature/x", Buffer.of()),
      ["tagmanifest-sha256", "tagmanifest-sha512"],
    ],
    [
      "the declaration",
      edited("bagit.txt", (text) => text.replace("1.0", "0.97")),
      ["bag-declaration", "tagmanifest-sha256", "tagmanifest-sha512"],
    ],
    ["no sum", edited("bag-info.txt", () => "x: y\n"), ["payload-oxum", "tagmanifest-sha256", "tagmanifest-sha512"]],
    [
      "two sums",
      edited("bag-info.txt", (text) => text + text),
      ["payload-oxum", "tagmanifest-sha256", "tagmanifest-sha512"],
    ],
    [
      "the signature",
      edited("signature/tagmanifest-sha256.txt.p7s", () => ""),
      ["export-signature", "export-signer-trusted"],
    ],
    [
      "the timestamp",
      edited("signature/tagmanifest-sha256.txt.tst", () => ""),
      ["export-timestamp", "export-timestamp-trusted"],
    ],
    [
      "a tag manifest without its end",
      edited("tagmanifest-sha512.txt", (text) => text.slice(0, -1)),
      ["tagmanifest-sha512-format"],
    ],
    [
      "a line of another form",
      edited("tagmanifest-sha512.txt", (text) => text.replace("  ", " ")),
      ["tagmanifest-sha512-format"],
    ],
    [
      "a digest that is too short",
      edited("tagmanifest-sha512.txt", (text) => text.slice(1)),
      ["tagmanifest-sha512-format"],
    ],
    ["a file twice", edited("tagmanifest-sha512.txt", (text) => text + text), ["tagmanifest-sha512-format"]],
    [
      "a path that leads out",
      edited("tagmanifest-sha512.txt", last(`${"0".repeat(128)}  ../x\n`)),
      ["tagmanifest-sha512-format"],
    ],
    [
      "an absolute path",
      edited("tagmanifest-sha512.txt", last(`${"0".repeat(128)}  /x\n`)),
      ["tagmanifest-sha512-format"],
    ],
    [
      "a line without file",
      edited("tagmanifest-sha512.txt", (text) => `${text}${"0".repeat(128)}  x%25y\n`),
      ["tagmanifest-sha512"],
    ],
    [
      "a line that belongs elsewhere",
      edited("tagmanifest-sha512.txt", (text) => `${text}${"0".repeat(128)}  ${ORIGINAL}\n`),
      ["tagmanifest-sha512"],
    ],
  ] as [string, Change, string[]][]) {
    t.same(await found({ after }), expected, why);
  }
});

t.test("paths that mean something else on another system, and links, are refused", async (t) => {
  for (const path of ["data/A\\B", "data/..", "data/./x", "/data/x", "data//x", "data/a\nb"]) {
    t.ok((await found({ content: (files) => files.set(path, Buffer.of(1)) })).includes("paths"), JSON.stringify(path));
  }
  const twice = await found({ content: (files) => files.set("data/CASE.json", Buffer.of(1)) });
  t.same(twice, ["paths"], "two names that differ by case alone");
  const { files, trust } = await sampleBag();
  const link = await verifyBag(readerOf(files, ["data/originals/link"]), { trust });
  t.same(failures(link), ["paths"]);
  t.match(link.checks.find(({ status }) => status === "failed")?.detail, /^data\/originals\/link: a link/);
});

t.test(
  "a bag whose exporter packed the wrong things fails for each of them, though its manifests are right",
  async (t) => {
    const otherOpening: Change = (files) => {
      const details = { id: "x", revision: 1 };
      files.set(`${BOUND}.opening.json`, encodeOpening({ details, salt: "00".repeat(32) }));
    };
    const foreignEntry: Change = (files) => {
      const leaf = parseLeaf(files.get(`${BOUND}.entry.json`) as Buffer);
      const details = { id: "x", revision: 1 };
      const commitment = commit(details, "00".repeat(32));
      files.set(`${BOUND}.entry.json`, encodeLeaf({ ...leaf, commitment }));
      files.set(`${BOUND}.opening.json`, encodeOpening({ details, salt: "00".repeat(32) }));
    };
    const proof = (edit: (text: string) => string) => edited(`${BOUND}.proof.txt`, edit);
    const item = (change: object) => json(LIST, (list) => ({ ...list, items: [{ ...list.items[0], ...change }] }));
    const clip = (change: object) => json(CASE_FILE, (file) => ({ ...file, clips: [{ ...file.clips[0], ...change }] }));
    const bindings = (edit: (all: Lists["bindings"]) => unknown) =>
      json(CASE_FILE, (file) => ({ ...file, bindings: edit(file.bindings) }));
    const revision = (n: number, change: object) =>
      bindings((all) => all.map((each, at) => (at === n ? { ...each, ...change } : each)));
    for (const [why, content, expected] of [
      [
        "a changed original",
        edited(ORIGINAL, () => "a short RECORDING\n"),
        [
          "receipt: file-sha256",
          "receipt: file-sm3",
          "receipt: file-chunk-root",
          "seal: file-sha256",
          "case-clips",
          "list-items",
        ],
      ],
      ["no receipt", removed(RECEIPT), ["original-receipt"]],
      ["a receipt that is no text", (files) => files.set(RECEIPT, Buffer.of(0xff)), ["original-receipt"]],
      ["a receipt of something else", edited(RECEIPT, () => "{}"), ["receipt: receipt-format", "receipt-clip"]],
      ["no original", removed(ORIGINAL), ["receipt-original", "seal-original", "case-clips", "list-items"]],
      ["an original twice", (files) => files.set(`${ORIGINAL}.2`, Buffer.of()), ["original"]],
      ["an original without a folder", (files) => files.set("data/originals/x", Buffer.of()), ["original"]],
      [
        "a clip under another id",
        moved(RECEIPT, RECEIPT.replace("2.receipt", "3.receipt")),
        ["original-receipt", "receipt-original"],
      ],
      [
        "an original and its receipt under another id",
        (files) => {
          for (const path of [ORIGINAL, RECEIPT]) moved(path, path.replace(CLIP, CASE))(files);
        },
        ["receipt-clip", "seal-original", "case-clips", "list-items"],
      ],
      ["no sealing among the events", event(SEALED), ["receipt-custody"]],
      ["a seal that is no text", (files) => files.set(SEAL, Buffer.of(0xff)), ["seal-file"]],
      ["a seal of nothing", moved(SEAL, SEAL.replace("2.sigstore", "3.sigstore")), ["seal-original"]],
      ["an event without entry", removed(`${BOUND}.entry.json`), ["custody-entry", "custody-proof", "case-bindings"]],
      ["an event without opening", removed(`${BOUND}.opening.json`), ["custody-opening", "case-bindings"]],
      ["an event without proof", removed(`${BOUND}.proof.txt`), ["custody-proof"]],
      ["another opening", otherOpening, ["custody-opening", "case-bindings"]],
      ["an entry that is not in the log", foreignEntry, ["custody-proof", "case-bindings"]],
      ["a proof with extra data", proof((text) => text.replace("\n", "\nextra AAAA\n")), ["custody-proof"]],
      ["a proof of another place", proof((text) => text.replace("index 5", "index 6")), ["custody-proof"]],
      [
        "a proof to another checkpoint",
        proof((text) => text.slice(0, text.lastIndexOf("\n", text.length - 2) + 1)),
        ["custody-proof"],
      ],
      ["a file that is part of no event", (files) => files.set("data/custody/x", Buffer.of()), ["custody-entry"]],
      ["a type that is another", event(BOUND, BOUND.replace("bound", "rebound")), ["custody-entry", "case-bindings"]],
      [
        "a published seal under another name",
        event(PUBLISHED, PUBLISHED.replace("seal-published", "sealed")),
        ["custody-entry"],
      ],
      [
        "another checkpoint",
        edited("log/checkpoint", (text) => text.replace("log.example", "log.elsewhere")),
        ["checkpoint-signature", "log-key-trusted", "checkpoint-witnessed"],
      ],
      ["no certificate to believe", edited("keys/export-root.pem", () => ""), ["export-signature"]],
      ["no case file", removed(CASE_FILE), ["case-file"]],
      ["a case file of another type", json(CASE_FILE, (file) => ({ ...file, type: "x" })), ["case-file"]],
      ["a case file without clips", json(CASE_FILE, (file) => ({ ...file, clips: {} })), ["case-file"]],
      [
        "a member twice",
        edited(CASE_FILE, (text) => text.replace('"number":', '"number":"x","number":')),
        ["case-file"],
      ],
      ["a clip not in the case file", json(CASE_FILE, (file) => ({ ...file, clips: [] })), ["case-clips"]],
      [
        "a clip twice in the case file",
        json(CASE_FILE, (file) => ({ ...file, clips: [...file.clips, ...file.clips] })),
        ["case-clips"],
      ],
      ["another digest in the case file", clip({ sm3: "0" }), ["case-clips"]],
      [
        "a clip that is not there",
        json(CASE_FILE, (file) => ({ ...file, clips: [...file.clips, { id: "x" }] })),
        ["case-clips"],
      ],
      ["a binding that was corrected behind the log", revision(0, { evidencePurpose: "证明其他" }), ["case-bindings"]],
      ["a binding made by another", revision(1, { madeBy: "person 8" }), ["case-bindings"]],
      ["a binding of another clip", revision(0, { clipId: "x" }), ["case-bindings"]],
      [
        "a binding of no event",
        bindings((all) => [...all, { ...all[0], revision: 3 }]),
        ["case-bindings", "list-annotations"],
      ],
      ["a binding left out", bindings((all) => all.slice(1)), ["case-bindings"]],
      ["a withdrawn binding", revision(1, { withdrawn: true }), ["case-bindings"]],
      ["no list", removed(LIST), ["electronic-data-list"]],
      ["a list of another type", json(LIST, (list) => ({ ...list, type: "x" })), ["electronic-data-list"]],
      [
        "a list about another checkpoint",
        json(LIST, (list) => ({ ...list, checkpoint: { size: 1 } })),
        ["electronic-data-list"],
      ],
      ["a list with another size", item({ sizeBytes: 1 }), ["list-items"]],
      ["a list with another digest", item({ sha256: "0" }), ["list-items"]],
      ["a list with another time", item({ sealedAt: "x" }), ["list-receipts"]],
      ["a list with another place in the log", item({ logIndex: 3 }), ["list-receipts"]],
      ["a list with another purpose", item({ evidencePurpose: "x" }), ["list-annotations"]],
      ["a list with another case number", item({ caseNumber: "x" }), ["list-annotations"]],
      ["a list of a clip that is not there", item({ clip: "x" }), ["list-items"]],
    ] as [string, Change, string[]][]) {
      t.same(await found({ content }), expected, why);
    }
    const ofClip = { ofClip: true, content: bindings((all) => all.slice(1)) };
    t.same(await found(ofClip), ["case-bindings"], "a binding left out of the export of a clip");
  },
);

t.test("a file that changes while the bag is read, or is absurdly large, fails its checks", async (t) => {
  const { files, trust } = await sampleBag();
  const right = readerOf(files);
  const opened = new Map<string, number>();
  const changing = await verifyBag(
    {
      list: right.list,
      open: (path) => {
        opened.set(path, (opened.get(path) ?? 0) + 1);
        return path === CASE_FILE && opened.get(path) === 2 ? right.open("bagit.txt") : right.open(path);
      },
    },
    { trust },
  );
  t.same(failures(changing), ["case-file"]);
  t.equal(opened.get(ORIGINAL), 1, "an original is read once");
  const piece = Buffer.alloc(16 * 1024 * 1024);
  const large = await verifyBag(
    {
      list: right.list,
      open: async function* (path) {
        if (path === LIST) for (let n = 0; n < 17; n += 1) yield piece;
        else yield* right.open(path);
      },
    },
    { trust },
  );
  t.match(large.checks.find(({ name }) => name === "electronic-data-list")?.detail, /is too large for what it is/);
});

t.test("what the reader throws is thrown on", async (t) => {
  const broken = {
    list: readerOf(new Map([["x", Buffer.of()]])).list,
    open: () => {
      throw new Error("the disk is gone");
    },
  };
  await t.rejects(verifyBag(broken), { message: "the disk is gone" });
});
