import { createHash, createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { verifySealBundle } from "#verify";
import { Caller } from "../support/api.ts";
import { sendClip, someMetadata } from "../support/curl.ts";
import { OpensslBench } from "../support/openssl.ts";
import { header, refusedWith } from "../support/refusals.ts";
import { type BundleJson, verifyBySigstore } from "../support/sigstore.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { until } from "../support/until.ts";

const smallest = 65_536;
const flipped = (base64: string, at = 0): string => {
  const bytes = Buffer.from(base64, "base64");
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes.toString("base64");
};

async function sent(t: Test, stack: Stack, fileName: string, bytes: Buffer, kind?: string): Promise<string> {
  const path = join(stack.directory, fileName);
  await writeFile(path, bytes);
  const metadata = { ...someMetadata, fileName, ...(kind === undefined ? {} : { kind }) };
  const answer = await sendClip(stack.url, stack.party.token, path, metadata);
  t.equal(answer.status, 201, `${fileName} is taken`);
  return answer.json<{ id: string }>().id;
}

/** Asks until the answer is another than "not yet". */
async function bundleOf(station: Caller, clipId: string) {
  const answer = await until("there is a bundle, or a refusal", async () => {
    const said = await station.call("GET", `/api/v1/clips/${clipId}/bundle`);
    return said.status !== 202 && said;
  });
  return answer;
}

t.test("what is sealed has a bundle that strangers' tools accept, unless its digest could be guessed", async (t) => {
  const stack = await startStack(t, { store: "filesystem", queue: "postgres", withoutWorker: true });
  const station = Caller.station(stack);
  const nobody = Caller.nobody(stack);
  const file = Buffer.concat([Buffer.of(0), randomBytes(200_000)]);
  const clipId = await sent(t, stack, "recording.bin", file);
  const edge = await sent(t, stack, "edge.bin", Buffer.concat([Buffer.of(0), randomBytes(smallest - 1)]));
  const line = `身份证号 ${randomBytes(8).toString("hex")}\n`;
  const text = Buffer.from(line.repeat(Math.ceil((2 * smallest) / line.length)));
  const without: Record<string, Buffer> = {};
  for (const [name, bytes, kind] of [
    ["short.bin", Buffer.concat([Buffer.of(0), randomBytes(smallest - 2)]), "video"],
    ["text-by-content.mp4", text, "video"],
    ["text-by-content-only.bin", Buffer.concat([text, Buffer.from("2")]), undefined],
    ["text-by-metadata.bin", Buffer.concat([Buffer.of(0), randomBytes(smallest)]), "text"],
  ] as const) {
    without[await sent(t, stack, name, bytes, kind)] = bytes;
  }

  const early = await station.call("GET", `/api/v1/clips/${clipId}/bundle`);
  t.equal(early.status, 202, "before it is sealed, nobody knows: ask again");
  t.ok(header(early, "retry-after"));
  t.equal((await nobody.call("GET", "/log/seal-key")).status, 404, "no key before the first signature");
  t.same(
    (await nobody.call("GET", "/log/trusted_root.json")).json<{ timestampAuthorities: [] }>().timestampAuthorities,
    [],
  );
  await stack.work.start();

  const answer = await bundleOf(station, clipId);
  t.equal(answer.status, 200, answer.body.slice(0, 200));
  t.match(header(answer, "content-type"), "application/vnd.dev.sigstore.bundle.v0.3+json");
  t.equal((await bundleOf(station, edge)).status, 200, "the shortest that gets one");
  const root = (await nobody.call("GET", "/log/trusted_root.json")).body;
  const sealKeys = (await nobody.call("GET", "/log/seal-key")).body;
  const trust = { root, sealKeys };

  await t.test("@sigstore/verify accepts it, and refuses it when any part is another", async (t) => {
    t.doesNotThrow(() => verifyBySigstore(answer.body, file, trust));
    t.equal((await bundleOf(station, clipId)).body, answer.body, "the same on every call");
    const other: BundleJson = JSON.parse((await bundleOf(station, edge)).body);
    const change = (with_: (bundle: BundleJson) => void): BundleJson => {
      const bundle: BundleJson = JSON.parse(answer.body);
      with_(bundle);
      return bundle;
    };
    const entryOf = (bundle: BundleJson) => {
      const [entry] = bundle.verificationMaterial.tlogEntries;
      if (entry === undefined) throw new Error("no entry");
      return entry;
    };
    const body = Buffer.from(entryOf(JSON.parse(answer.body)).canonicalizedBody, "base64").toString();
    const changes: [what: string, error: string, (bundle: BundleJson) => void][] = [
      [
        "another digest",
        "TLOG_BODY_ERROR",
        (b) => {
          b.messageSignature.messageDigest.digest = flipped(b.messageSignature.messageDigest.digest);
        },
      ],
      [
        "another signature",
        "TIMESTAMP_ERROR",
        (b) => {
          b.messageSignature.signature = flipped(b.messageSignature.signature, 20);
        },
      ],
      [
        "another clip's signature",
        "TIMESTAMP_ERROR",
        (b) => {
          b.messageSignature = other.messageSignature;
        },
      ],
      [
        "another clip's signature and time",
        "TLOG_BODY_ERROR",
        (b) => {
          b.messageSignature = other.messageSignature;
          b.verificationMaterial.timestampVerificationData = other.verificationMaterial.timestampVerificationData;
        },
      ],
      [
        "another clip's bundle",
        "SIGNATURE_ERROR",
        (b) => {
          Object.assign(b, other);
        },
      ],
      [
        "another hash in the proof",
        "TLOG_INCLUSION_PROOF_ERROR",
        (b) => {
          const [hash = ""] = entryOf(b).inclusionProof.hashes;
          entryOf(b).inclusionProof.hashes[0] = flipped(hash);
        },
      ],
      [
        "another place in the log",
        "TLOG_INCLUSION_PROOF_ERROR",
        (b) => {
          const { inclusionProof } = entryOf(b);
          inclusionProof.logIndex = String(Number(inclusionProof.logIndex) ^ 1);
        },
      ],
      [
        "another root in the checkpoint",
        "TLOG_INCLUSION_PROOF_ERROR",
        (b) => {
          const { checkpoint } = entryOf(b).inclusionProof;
          const lines = checkpoint.envelope.split("\n");
          lines[2] = flipped(lines[2] ?? "");
          checkpoint.envelope = lines.join("\n");
        },
      ],
      [
        "another signature of the checkpoint",
        "TLOG_INCLUSION_PROOF_ERROR",
        (b) => {
          const { checkpoint } = entryOf(b).inclusionProof;
          checkpoint.envelope = checkpoint.envelope.replace(/ (\S+)\n$/, (_, line) => ` ${flipped(line, 30)}\n`);
        },
      ],
      [
        "another log",
        "TLOG_INCLUSION_PROOF_ERROR",
        (b) => {
          entryOf(b).logId.keyId = flipped(entryOf(b).logId.keyId, 9);
        },
      ],
      [
        "another signature in the entry",
        "TLOG_INCLUSION_PROOF_ERROR",
        (b) => {
          const { content } = JSON.parse(body).spec.signature;
          entryOf(b).canonicalizedBody = Buffer.from(body.replace(content, flipped(content, 20))).toString("base64");
        },
      ],
      [
        "another entry",
        "TLOG_BODY_ERROR",
        (b) => {
          b.verificationMaterial.tlogEntries = other.verificationMaterial.tlogEntries;
        },
      ],
      [
        "no entry",
        "TLOG_ERROR",
        (b) => {
          b.verificationMaterial.tlogEntries = [];
        },
      ],
      [
        "another token",
        "TIMESTAMP_ERROR",
        (b) => {
          b.verificationMaterial.timestampVerificationData = other.verificationMaterial.timestampVerificationData;
        },
      ],
      [
        "a changed token",
        "TIMESTAMP_ERROR",
        (b) => {
          const [timestamp] = b.verificationMaterial.timestampVerificationData.rfc3161Timestamps;
          if (timestamp === undefined) throw new Error("no timestamp");
          const length = Buffer.from(timestamp.signedTimestamp, "base64").length;
          timestamp.signedTimestamp = flipped(timestamp.signedTimestamp, length - 1);
        },
      ],
      [
        "no token",
        "TIMESTAMP_ERROR",
        (b) => {
          b.verificationMaterial.timestampVerificationData.rfc3161Timestamps = [];
        },
      ],
      [
        "another key's hint",
        "PUBLIC_KEY_ERROR",
        (b) => {
          b.verificationMaterial.publicKey.hint = flipped(b.verificationMaterial.publicKey.hint);
        },
      ],
    ];
    for (const [what, code, with_] of changes) {
      t.throws(() => verifyBySigstore(change(with_), file, trust), { code }, what);
    }
    const changed = Buffer.from(file);
    changed[100_000] = (changed[100_000] ?? 0) ^ 1;
    t.throws(() => verifyBySigstore(answer.body, changed, trust), { code: "SIGNATURE_ERROR" }, "a changed file");
    const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
    const strangers = stranger.export({ format: "pem", type: "spki" }).toString();
    t.throws(() => verifyBySigstore(answer.body, file, { root, sealKeys: strangers }), { code: "PUBLIC_KEY_ERROR" });
    const foreign = JSON.parse(root);
    foreign.tlogs[0].publicKey.rawBytes = generateKeyPairSync("ed25519")
      .publicKey.export({ format: "der", type: "spki" })
      .toString("base64");
    const foreignRoot = { root: JSON.stringify(foreign), sealKeys };
    t.throws(() => verifyBySigstore(answer.body, file, foreignRoot), { code: "TLOG_INCLUSION_PROOF_ERROR" });
    const noAuthority = { root: JSON.stringify({ ...JSON.parse(root), timestampAuthorities: [] }), sealKeys };
    t.throws(() => verifyBySigstore(answer.body, file, noAuthority), { code: "TIMESTAMP_ERROR" });
  });

  await t.test("dockseal verifies it offline, and refuses another file, log and key", async (t) => {
    const logs = (await nobody.call("GET", "/log/key")).body.trim().split("\n");
    const keys = JSON.parse(await readFile(join(stack.directory, "keys", "timestamp-authority.json"), "utf8"));
    const believed = { logs, timestampRoots: [keys.rootPem], sealKeys: [sealKeys] };
    const sha256 = createHash("sha256").update(file).digest("hex");
    const verdict = verifySealBundle(answer.body, { trust: believed, file: { sha256 } });
    t.same(
      verdict.checks.filter(({ status }) => status !== "passed"),
      [],
    );
    t.notOk(verifySealBundle(answer.body, { file: { sha256: "00".repeat(32) } }).ok);
    t.notOk(verifySealBundle(answer.body, { trust: { ...believed, logs: [] } }).ok);
    t.notOk(verifySealBundle(answer.body, { trust: { ...believed, sealKeys: [] } }).ok);
  });

  await t.test("openssl accepts the signature over the file, with the seal key", async (t) => {
    const bench = new OpensslBench(t.testdir({ file, "seal-key.pem": sealKeys }));
    const bundle: BundleJson = JSON.parse(answer.body);
    await bench.put("signature", Buffer.from(bundle.messageSignature.signature, "base64"));
    const verify = "dgst -sha256 -verify seal-key.pem -signature signature file";
    t.match(await bench.openssl(verify), "Verified OK");
    await bench.put("file", Buffer.concat([file, Buffer.of(0)]));
    await t.rejects(bench.openssl(verify), /Verification failure|Command failed/);
    const spki = createPublicKey(sealKeys).export({ format: "der", type: "spki" });
    const hint = createHash("sha256").update(spki).digest("base64");
    t.equal(bundle.verificationMaterial.publicKey.hint, hint, "the hint is the digest of the key");
  });

  await t.test("text and short files get none, and their digests stand nowhere in the log", async (t) => {
    for (const [id, bytes] of Object.entries(without)) {
      const refusal = await bundleOf(station, id);
      refusedWith(t, refusal, 404, "no-seal-bundle", `${bytes.length} bytes`);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      const leaves = await stack.db.selectFrom("custodyEvent").select("leaf").execute();
      t.ok(leaves.length > 10);
      t.notOk(leaves.some(({ leaf }) => leaf.includes(sha256)));
      const kept = await stack.db.selectFrom("sealBundle").select("clipId").where("clipId", "=", id).execute();
      t.same(kept, [], "nor is a signature kept, which would let a guess be tried as well");
      t.equal((await station.call("GET", `/api/v1/clips/${id}/receipt`)).status, 200, "its receipt it has");
    }
    const published = await stack.db
      .selectFrom("custodyEvent")
      .select(["leaf", "clipId"])
      .where("type", "=", "clip.seal-published")
      .execute();
    t.same(new Set(published.map((event) => event.clipId)), new Set([clipId, edge]), "one entry for each that has one");
    t.ok(published.some(({ leaf }) => leaf.includes(createHash("sha256").update(file).digest("hex"))));
  });

  await t.test("only who may see the clip gets its bundle", async (t) => {
    t.equal((await nobody.call("GET", `/api/v1/clips/${clipId}/bundle`)).status, 401);
    const stranger = Caller.station(stack, stack.otherParty);
    const foreign = await stranger.call("GET", `/api/v1/clips/${clipId}/bundle`);
    refusedWith(t, foreign, 404, "not-found", "a clip of another organization");
    const auditor = await Caller.person(stack, "auditor");
    t.equal((await auditor.call("GET", `/api/v1/clips/${clipId}/bundle`)).status, 200);
    const custody = (await auditor.call("GET", `/api/v1/clips/${clipId}/custody`)).json<{
      items: { id: string; type: string }[];
    }>();
    const events = custody.items.filter(({ type }) => type === "clip.seal-published");
    t.equal(events.length, 1);
    const path = `/api/v1/clips/${clipId}/custody/${events[0]?.id}/proof`;
    const proof = (await auditor.call("GET", path)).json<{ entry: string; opening: string | null }>();
    const [inLog] = JSON.parse(answer.body).verificationMaterial.tlogEntries;
    t.match(
      proof,
      { entry: inLog.canonicalizedBody, opening: null },
      "its entry is the bundle's, and opens to nothing",
    );
  });
});
