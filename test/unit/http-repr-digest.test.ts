import { createHash } from "node:crypto";
import t from "tap";
import { sha256OfReprDigest } from "../../src/http/routes/clips/repr-digest.ts";

const digest = createHash("sha256").update("hello").digest();
const hex = digest.toString("hex");
const value = `sha-256=:${digest.toString("base64")}:`;
const sha512 = `sha-512=:${createHash("sha512").update("hello").digest("base64")}:`;

t.test("Repr-Digest: the SHA-256 is found in the dictionary of RFC 9530", async (t) => {
  t.equal(sha256OfReprDigest(undefined), undefined, "no header, no digest");
  const good: (string | string[])[] = [
    value,
    ` ${value} `,
    `${sha512}, ${value}`,
    `${value},${sha512}`,
    `${value};x=1`,
    [sha512, value],
  ];
  for (const header of good) t.equal(sha256OfReprDigest(header), hex, String(header));
});

t.test("Repr-Digest: what is no SHA-256 is refused, not left aside", async (t) => {
  const bad = [
    "",
    sha512,
    `SHA-256=${hex}`,
    `sha-256=${digest.toString("base64")}`,
    `sha-256=:${hex}:`,
    `sha-256=:${digest.toString("base64url")}:`.replaceAll("=:", ":"),
    `sha-256=:${digest.toString("base64").slice(0, -4)}:`,
    `sha-256=:${digest.toString("base64")}`,
    `x-sha-256=:${digest.toString("base64")}:`,
    `sha-256=:${createHash("sha1").update("hello").digest("base64")}:`,
  ];
  for (const header of bad) t.throws(() => sha256OfReprDigest(header), { code: "malformed-request" }, header);
});
