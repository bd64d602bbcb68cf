import t from "tap";
import { noteKeyPair } from "#evidence";
import { parseTrust } from "#verify";
import { root } from "../../support/forged-timestamps.ts";

t.test("a trust file holds exactly keys of logs and certificates", async (t) => {
  const { pem } = root();
  const trust = {
    type: "dockseal/trust@v1",
    logs: [noteKeyPair("log.example", Buffer.alloc(32)).vkey],
    timestampRoots: [pem, pem.replaceAll("\n", "\r\n")],
  };
  const { type, ...rest } = trust;
  t.same(parseTrust(JSON.stringify(trust)), rest);
  t.equal(type, "dockseal/trust@v1");
  for (const [why, bad] of [
    ["another type", { ...trust, type: "dockseal/trust@v2" }],
    ["a member more", { ...trust, witnesses: [] }],
    ["a member less", { type, logs: [] }],
    ["keys that are no list", { ...trust, logs: "x" }],
    ["a number for a key", { ...trust, logs: [1] }],
    ["no key", { ...trust, logs: ["x"] }],
    ["no certificate", { ...trust, timestampRoots: ["x"] }],
    ["two certificates in one", { ...trust, timestampRoots: [pem + pem] }],
    ["null", null],
    ["text", "x"],
  ] as const) {
    t.throws(() => parseTrust(JSON.stringify(bad)), { code: "malformed-proof" }, why);
  }
  t.throws(() => parseTrust("{"), { code: "malformed-proof" }, "no JSON");
});
