import { randomBytes } from "node:crypto";
import t from "tap";
import { cosign, encodeSealBundle, encodeTrustedRoot, noteKeyPair, parseSkey, timestampChain } from "#evidence";
import { ORIGINAL, sealBundle } from "../support/seal-bundle.ts";
import { verifyBySigstore } from "../support/sigstore.ts";

t.test("@sigstore/verify reads checkpoints that witnesses cosigned, and wants the log's own signature", async (t) => {
  const { bundle, trust, keys, publicPem } = await sealBundle();
  const logs = trust.logs.map((vkey) => ({ vkey }));
  const timestampChains = [timestampChain(bundle.timestampToken, [keys.rootPem])];
  const believed = { root: encodeTrustedRoot({ logs, timestampChains }), sealKeys: publicPem };
  t.doesNotThrow(() => verifyBySigstore(encodeSealBundle(bundle), ORIGINAL, believed));

  const witness = parseSkey(noteKeyPair("witness.example/w1", randomBytes(32), "cosignature").skey);
  const [text = "", signatures = ""] = bundle.checkpoint.split(/(?<=\n)\n/);
  const line = cosign(text, witness, Date.parse("2026-11-22T00:16:00Z") / 1000);
  const checked = (checkpoint: string) => () =>
    verifyBySigstore(encodeSealBundle({ ...bundle, checkpoint }), ORIGINAL, believed);
  t.doesNotThrow(checked(`${text}\n${signatures}${line}`), "the witness after the log");
  t.doesNotThrow(checked(`${text}\n${line}${signatures}`), "and before it");
  t.throws(checked(`${text}\n${line}`), { code: "TLOG_INCLUSION_PROOF_ERROR" }, "a witness speaks for no log");
});
