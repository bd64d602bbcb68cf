import t from "tap";
import { ContentDigests } from "#evidence";
import { verifyDocument } from "#verify";
import { ORIGINAL, sealBundle } from "../../support/seal-bundle.ts";
import { sealedClip } from "../../support/sealed-clip.ts";

t.test("a receipt is checked as one, a seal bundle as one, and anything else fails as a receipt", async (t) => {
  const { text, trust, file } = await sealedClip();
  t.match(await verifyDocument(text, { trust, file }), { kind: "receipt", ok: true });
  const digests = new ContentDigests();
  digests.update(ORIGINAL);
  const seal = await sealBundle();
  t.match(await verifyDocument(seal.text, { trust: seal.trust, file: digests.finish() }), {
    kind: "seal-bundle",
    ok: true,
  });
  t.match(await verifyDocument(seal.text, { trust, file }), { kind: "seal-bundle", ok: false });
  t.match(await verifyDocument("{}"), { kind: "receipt", ok: false });
});
