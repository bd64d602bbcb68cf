import { generateKeyPairSync } from "node:crypto";
import t from "tap";
import { noteKeyPair } from "#evidence";
import { parseTrust } from "#verify";
import { root } from "../../support/forged-timestamps.ts";

const vkeyOf = (name: string, byte: number, type?: "cosignature") =>
  noteKeyPair(name, Buffer.alloc(32, byte), type).vkey;
const sealKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "pem", type: "spki" });

const { pem } = root();
const least = {
  type: "dockseal/trust@v1",
  logs: [vkeyOf("log.example", 0)],
  timestampRoots: [pem, pem.replaceAll("\n", "\r\n")],
};
const most = {
  ...least,
  witnesses: { threshold: 1, keys: [vkeyOf("bureau.example", 1, "cosignature"), vkeyOf("court", 2, "cosignature")] },
  sealKeys: [sealKey],
  exportRoots: [pem],
};

t.test(
  "a trust file holds keys of logs and certificates, and may name witnesses, seal keys and export roots",
  async (t) => {
    for (const trust of [least, most, { ...least, exportRoots: [] }]) {
      const { type, ...rest } = trust;
      t.equal(type, "dockseal/trust@v1");
      t.same(parseTrust(JSON.stringify(trust)), rest);
      t.same(
        parseTrust(JSON.stringify(trust, null, 4).replaceAll("+", "\\u002b")),
        rest,
        "escapes and spaces are free",
      );
    }
  },
);

t.test("anything else is refused", async (t) => {
  const { type } = least;
  const [witness = ""] = most.witnesses.keys;
  for (const [why, bad] of [
    ["another type", { ...least, type: "dockseal/trust@v2" }],
    ["a member more", { ...least, keys: [] }],
    ["a member less", { type, logs: [] }],
    ["keys that are no list", { ...least, logs: "x" }],
    ["a number for a key", { ...least, logs: [1] }],
    ["no key", { ...least, logs: ["x"] }],
    ["a witness's key for a log's", { ...least, logs: [witness] }],
    ["no certificate", { ...least, timestampRoots: ["x"] }],
    ["two certificates in one", { ...least, timestampRoots: [pem + pem] }],
    ["a log's key for a witness's", { ...least, witnesses: { threshold: 1, keys: least.logs } }],
    ["more witnesses wanted than named", { ...least, witnesses: { threshold: 2, keys: [witness] } }],
    ["a list of witnesses without a number", { ...least, witnesses: [witness] }],
    ["no witnesses by null", { ...least, witnesses: null }],
    ["no seal key", { ...least, sealKeys: ["x"] }],
    ["a number for a seal key", { ...least, sealKeys: [1] }],
    ["no export root", { ...least, exportRoots: ["x"] }],
    ["null", null],
    ["text", "x"],
    ["a list", []],
  ] as const) {
    t.throws(() => parseTrust(JSON.stringify(bad)), { code: "malformed-proof" }, why);
  }
  t.throws(() => parseTrust("{"), { code: "malformed-proof" }, "no JSON");
});

t.test("a member that stands there twice is refused, in whatever depth", async (t) => {
  const text = JSON.stringify(most);
  const twice = [
    text.replace('"logs":', '"logs":[],"logs":'),
    text.replace('"logs":', '"l\\u006fgs":[],"logs":'),
    text.replace('"threshold":1', '"threshold":2,"threshold":1'),
  ];
  for (const [n, bad] of twice.entries()) {
    t.ok(JSON.parse(bad), "JSON.parse takes it");
    t.throws(() => parseTrust(bad), { code: "malformed-proof", message: /twice/ }, `the ${n + 1}. way`);
  }
  t.throws(() => parseTrust(text.replace('"threshold":1', '"threshold":1.0')), { code: "malformed-proof" });
});
