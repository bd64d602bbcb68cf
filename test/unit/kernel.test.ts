import fc from "fast-check";
import t from "tap";
import Type from "typebox";
import {
  canonicalBytes,
  canonicalJson,
  DocksealError,
  isProblem,
  type Json,
  newId,
  type ProblemCode,
  pause,
  problems,
} from "#kernel";
import { checked } from "#schema";
import { table } from "../../src/cli/table.ts";

t.test("canonical JSON: the examples of RFC 8785", async (t) => {
  // §3.2.2
  const given = JSON.parse(
    String.raw`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`,
  ) as Json;
  const expected = String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`;
  t.equal(canonicalJson(given), expected, "§3.2.2 and §3.2.3");
  t.equal(
    canonicalBytes(given).subarray(0, 32).toString("hex"),
    "7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e",
    "§3.2.4: its first bytes",
  );
  // §3.2.3: members are sorted by UTF-16 code units, not by code points.
  const sorted = JSON.parse(
    String.raw`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`,
  ) as Record<string, string>;
  const order = ["Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis", "Euro Sign"];
  t.same(
    canonicalJson(sorted).match(/:"([^"]*)"/g),
    [...order, "Emoji: Grinning Face", "Hebrew Letter Dalet With Dagesh"].map((text) => `:"${text}"`),
    "§3.2.3: order of members",
  );
  // Appendix B: IEEE 754 bits and the text of that number.
  const numbers: [bits: string, text: string][] = [
    ["0000000000000000", "0"],
    ["8000000000000000", "0"],
    ["0000000000000001", "5e-324"],
    ["8000000000000001", "-5e-324"],
    ["7fefffffffffffff", "1.7976931348623157e+308"],
    ["ffefffffffffffff", "-1.7976931348623157e+308"],
    ["4340000000000000", "9007199254740992"],
    ["c340000000000000", "-9007199254740992"],
    ["4430000000000000", "295147905179352830000"],
    ["44b52d02c7e14af5", "9.999999999999997e+22"],
    ["44b52d02c7e14af6", "1e+23"],
    ["44b52d02c7e14af7", "1.0000000000000001e+23"],
    ["444b1ae4d6e2ef4e", "999999999999999700000"],
    ["444b1ae4d6e2ef4f", "999999999999999900000"],
    ["444b1ae4d6e2ef50", "1e+21"],
    ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
    ["3eb0c6f7a0b5ed8d", "0.000001"],
    ["41b3de4355555553", "333333333.3333332"],
    ["41b3de4355555557", "333333333.33333343"],
    ["becbf647612f3696", "-0.0000033333333333333333"],
    ["43143ff3c1cb0959", "1424953923781206.2"],
  ];
  for (const [bits, text] of numbers) {
    t.equal(canonicalJson(Buffer.from(bits, "hex").readDoubleBE()), text, `appendix B ${bits}`);
  }
  const refused: unknown[] = [Number.NaN, Number.POSITIVE_INFINITY, "\ud800", { "\udc00": 1 }, undefined];
  for (const bad of refused) t.throws(() => canonicalJson(bad as Json), `${String(bad)} is refused`);
  t.equal(canonicalJson({ b: undefined, a: 1 }), '{"a":1}', "a member that is undefined is left out");
});

t.test("canonical JSON is the same for every order of members, and says the same", async () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ maxDepth: 3 })), (value) => {
      const reversed = Object.fromEntries(Object.entries(value).reverse());
      const text = canonicalJson(value as Json);
      return text === canonicalJson(reversed as Json) && canonicalJson(JSON.parse(text) as Json) === text;
    }),
  );
});

t.test("checked(): nothing slips through, nothing is changed", async (t) => {
  const check = checked(
    Type.Object(
      {
        name: Type.String({ maxLength: 5 }),
        count: Type.Optional(Type.Integer({ minimum: 0 })),
        inner: Type.Optional(Type.Object({ on: Type.Boolean() }, { additionalProperties: false })),
        list: Type.Optional(Type.Array(Type.String())),
      },
      { additionalProperties: false },
    ),
  );
  const good = { name: "a", count: 0, inner: { on: true }, list: ["b"] };
  t.equal(check(good), good, "a good value comes back as it is");
  t.same(check({ name: "长长长长😀" }), { name: "长长长长😀" }, "lengths count characters");
  const bad: [value: unknown, code: ProblemCode, fields: string[]][] = [
    [{ name: 1 }, "malformed-field", ["name"]],
    [{ name: "abcdef" }, "malformed-field", ["name"]],
    [{ name: "a", count: "1" }, "malformed-field", ["count"]],
    [{ name: "a", inner: { on: 1 } }, "malformed-field", ["inner.on"]],
    [{ name: "a", list: ["x", null] }, "malformed-field", ["list.1"]],
    [{ name: "a", x: 1, y: 2 }, "unknown-field", ["x", "y"]],
    [{ name: "a", inner: { on: true, off: false } }, "unknown-field", ["inner.off"]],
    [{ name: "a\0" }, "malformed-field", ["name"]],
    [{ name: "\ud800" }, "malformed-field", ["name"]],
    [{ name: "a", list: ["\udc00"] }, "malformed-field", ["list.0"]],
    [null, "malformed-field", [""]],
    [[], "malformed-field", [""]],
  ];
  for (const [value, code, fields] of bad) {
    try {
      check(value);
      t.fail(`${JSON.stringify(value)} was taken`);
    } catch (error) {
      t.ok(isProblem(error, code), `${JSON.stringify(value)}: ${code}`);
      const { errors } = (error as DocksealError).extra as { errors: { field: string }[] };
      t.same(
        errors.map(({ field }) => field),
        fields,
        "the fields are named",
      );
    }
  }
  t.throws(() => check({ name: 1, x: 1 }), { code: "malformed-field" }, "an unknown field beside a malformed one");
});

t.test("every problem has a status of HTTP, a title, and says what to do", async (t) => {
  for (const [code, [status, title, advice]] of Object.entries(problems)) {
    t.match(code, /^[a-z]+(-[a-z]+)*$/, `${code}: a name for an address`);
    t.ok(status === 202 || (status >= 400 && status <= 599), `${code}: status ${status}`);
    t.ok(title.length > 0 && !title.endsWith("."), `${code}: a title`);
    t.match(advice, /^(ffmpeg|[A-Z]).{10,}\.$/, `${code}: a sentence that says what to do`);
  }
  const titles = Object.values(problems).map(([, title]) => title);
  t.equal(new Set(titles).size, titles.length, "no two have the same title");
});

t.test("an error tells what, and keeps why", async (t) => {
  const cause = new Error("socket hang up");
  const error = new DocksealError("store-unavailable", { detail: "put: no answer", retryAfterSeconds: 5, cause });
  t.match(error, { message: "put: no answer", status: 503, code: "store-unavailable", retryAfterSeconds: 5, cause });
  t.equal(new DocksealError("not-found").message, "Not found", "without a detail it has its title");
  t.ok(isProblem(error) && isProblem(error, "store-unavailable") && !isProblem(error, "not-found"));
  t.notOk(isProblem(cause) || isProblem(undefined));
});

t.test("ids are of UUID version 7 and sort by the time they were made", async (t) => {
  const ids = Array.from({ length: 1000 }, newId);
  for (const id of ids.slice(0, 5))
    t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  t.same([...ids].sort(), ids, "in order");
  t.equal(new Set(ids).size, ids.length, "no id twice");
});

t.test("a pause ends at once when it is called off", async (t) => {
  const stop = new AbortController();
  const long = pause(3_600_000, stop.signal);
  stop.abort();
  await long;
  await pause(3_600_000, stop.signal);
  t.pass("also when it was called off before");
});

t.test("a table on a terminal lines up, with Chinese in it", async (t) => {
  t.equal(
    table(["file", "size"], [["执法.mp4", "1"], ["a", "22"], ["only one column"]]),
    [
      "file             size",
      "---------------  ----",
      "执法.mp4         1",
      "a                22",
      "only one column",
    ].join("\n"),
  );
});
