// Node's Buffer for the browser, put into every module of the page by the bundler. The package knows no base64url, which
// JSON Web Keys are written in (RFC 7515 §2): it is added here. Decoding base64 it takes both alphabets.
import { Buffer } from "buffer";

const plainToString = Buffer.prototype.toString;
Buffer.prototype.toString = function (encoding?: BufferEncoding, start?: number, end?: number): string {
  if (encoding !== "base64url") return plainToString.call(this, encoding, start, end);
  return plainToString.call(this, "base64", start, end).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
};

type From = (value: never, encoding?: unknown, length?: number) => Buffer;
const plainFrom: From = Buffer.from;
const from: From = (value, encoding, length) =>
  plainFrom(value, encoding === "base64url" ? "base64" : encoding, length);
Object.assign(Buffer, { from });

export { Buffer };
