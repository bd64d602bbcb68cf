import t from "tap";
import { MemoryBudget, openStore } from "#store";
import { partBytes, reserveParts } from "../../src/store/s3/multipart-put.ts";
import { parseStoreUrl } from "../../src/store/store-url.ts";

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const MOST_PARTS = 10_000;

t.test("parts of a known length are equal and never more than 10 000", async (t) => {
  for (const sizeBytes of [1, 5 * GiB + 1, 64 * GiB, 156 * GiB, 157 * GiB, 5 * 1024 * GiB]) {
    const bytes = partBytes(1, sizeBytes);
    t.ok(bytes >= 16 * MiB && bytes % MiB === 0);
    t.ok(Math.ceil(sizeBytes / bytes) <= MOST_PARTS, `${sizeBytes} bytes fit`);
    t.equal(partBytes(MOST_PARTS, sizeBytes), bytes);
  }
});

t.test("parts of an unknown length grow so that far more than 64 GiB fit, and start small", async (t) => {
  let total = 0;
  for (let number = 1; number <= MOST_PARTS; number++) total += partBytes(number, undefined);
  t.ok(total > 380 * GiB);
  t.equal(partBytes(1, undefined), 16 * MiB);
});

t.test("one upload of unknown length leaves memory for others", async (t) => {
  const budget = new MemoryBudget(256 * MiB);
  const reservations = Array.from({ length: 8 }, () => reserveParts(budget, undefined));
  t.equal(reservations[0]?.bytes, 64 * MiB);
  const more = () => {
    while (reservations.length < 20) reservations.push(reserveParts(budget, undefined));
  };
  t.throws(more, { code: "no-budget" });
  for (const reservation of reservations) reservation.release();
  reservations[0]?.release();
  t.equal(budget.freeBytes, 256 * MiB, "all is given back, once");
});

t.test("a store URL says where the evidence is", async (t) => {
  t.same(parseStoreUrl("s3://AK:s%2Fk%40@s3.example:9000/evidence-1?tls=0&region=cn-north-1"), {
    kind: "s3",
    host: "s3.example",
    port: 9000,
    tls: false,
    region: "cn-north-1",
    bucket: "evidence-1",
    accessKey: "AK",
    secretKey: "s/k@",
  });
  t.match(parseStoreUrl("s3://s3.example/evidence", { accessKey: "a", secretKey: "b" }), { port: 443, tls: true });
  t.same(parseStoreUrl("file:///var/lib/dock%20seal?immutable=0"), {
    kind: "filesystem",
    directory: "/var/lib/dock seal",
    immutable: false,
  });
});

t.test("a wrong store URL is refused with what is wrong, and without its secret", async (t) => {
  for (const [url, why] of [
    ["nonsense", /not a URL/],
    ["http://a:b@host/bucket", /scheme is http/],
    ["s3://host/bucket", /access key and secret key/],
    ["s3://a:topsecret@host/", /one bucket/],
    ["s3://a:topsecret@host/Bucket/x", /one bucket/],
    ["s3://a:topsecret@host/bucket?tls=yes", /tls must be 0 or 1/],
    ["s3://a:topsecret@host/bucket?ssl=1", /unknown parameter ssl/],
    ["s3://a:top%ZZsecret@host/bucket", /percent-encoded/],
    ["file://host/dir", /three slashes/],
    ["file:///", /root/],
  ] as const) {
    const error = await openStore(url).then(
      () => undefined,
      (refusal: unknown) => refusal,
    );
    t.match(error, { code: "configuration-invalid", message: why }, url);
    t.notMatch(error, { message: /secret@|topsecret/ });
  }
});
