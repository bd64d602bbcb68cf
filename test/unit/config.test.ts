import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import t from "tap";
import { parseConfig, variables } from "#config";
import { isProblem } from "#kernel";

const root = join(import.meta.dirname, "../..");
const needed = {
  DOCKSEAL_DATABASE_URL: "postgres://app:s3cret-of-mine@db/dockseal",
  DOCKSEAL_QUEUE_URL: "redis://127.0.0.1:6379",
  DOCKSEAL_STORE_URL: "file:///evidence",
  DOCKSEAL_KEYS_DIR: "/keys",
};

function complaintOf(environment: Record<string, string>): string {
  try {
    parseConfig(environment);
  } catch (error) {
    if (isProblem(error, "configuration-invalid")) return error.detail ?? "";
    throw error;
  }
  throw new Error("nothing was wrong");
}

t.test("one message names every variable that is missing, bad or unknown", async (t) => {
  const complaint = complaintOf({
    DOCKSEAL_QUEUE_URL: "amqp://user:s3cret-of-mine@queue",
    DOCKSEAL_STORE_URL: "s3cret-of-mine",
    DOCKSEAL_PORT: "70000",
    DOCKSEAL_DATABASE_POOL: "1",
    DOCKSEAL_MAX_CLIP_BYTES: "1e9",
    DOCKSEAL_SECURE_COOKIES: "true",
    DOCKSEAL_TRUST_PROXY: "127.0.0.1, all",
    DOCKSEAL_LOG_ORIGIN: "two words",
    DOCKSEAL_SCRATCH_DIR: " ",
    DOCKSEAL_PROT: "8080",
    PATH: "/bin",
  });
  const lines = complaint.split("\n").map((line) => line.trim());
  t.equal(lines[0], "12 variables are wrong:");
  const named = lines.slice(1).map((line) => line.split(" ")[0]);
  t.same(
    named.sort(),
    [
      "DOCKSEAL_DATABASE_POOL",
      "DOCKSEAL_DATABASE_URL",
      "DOCKSEAL_KEYS_DIR",
      "DOCKSEAL_LOG_ORIGIN",
      "DOCKSEAL_MAX_CLIP_BYTES",
      "DOCKSEAL_PORT",
      "DOCKSEAL_PROT",
      "DOCKSEAL_QUEUE_URL",
      "DOCKSEAL_SCRATCH_DIR",
      "DOCKSEAL_SECURE_COOKIES",
      "DOCKSEAL_STORE_URL",
      "DOCKSEAL_TRUST_PROXY",
    ].sort(),
    "one line each, and nothing else",
  );
  t.notMatch(complaint, /s3cret-of-mine/, "a value that may hold a password is never repeated");
  t.match(complaint, /DOCKSEAL_KEYS_DIR is missing.*Example: /, "a missing one is explained");
  t.match(complaint, /DOCKSEAL_PROT is unknown/, "a typing error is told");
});

t.test("a number is a whole number within its bounds, written in digits", async (t) => {
  for (const bad of ["", " ", "0", "-1", "1.5", "0x10", "1e3", "1_000", "１０", "99999999999999999999", "NaN"]) {
    t.match(complaintOf({ ...needed, DOCKSEAL_SESSION_HOURS: bad }), /^1 variable is wrong:\n/, JSON.stringify(bad));
  }
  t.equal(parseConfig({ ...needed, DOCKSEAL_SESSION_HOURS: "720" }).sessionHours, 720);
});

t.test("every variable is described, and its example is good", async (t) => {
  for (const [name, { about, example, read }] of Object.entries(variables)) {
    t.match(name, /^DOCKSEAL_[A-Z]+(_[A-Z]+)*$/, `${name}: a name of ours`);
    t.ok(about.length > 10 && about.endsWith("."), `${name}: a sentence about it`);
    t.doesNotThrow(() => read(example), `${name}: ${example} is taken`);
  }
  const examples = Object.fromEntries(Object.entries(variables).map(([name, { example }]) => [name, example]));
  t.same(Object.keys(parseConfig(examples)).length, Object.keys(variables).length, "all examples together are good");
});

t.test("what is not set has its fallback, and the test suite's variables are let alone", async (t) => {
  const config = parseConfig({ ...needed, DOCKSEAL_TEST_S3: "http://x", HOME: "/root" });
  t.match(config, { port: 8080, databasePool: 10, sandbox: "require", retentionDays: 183, secureCookies: "no" });
  t.equal(config.ownerDatabaseUrl, undefined);
  t.equal(config.databaseUrl, needed.DOCKSEAL_DATABASE_URL);
});

const generator = join(root, "deploy/dev/generate-docs.ts");
t.test(".env.example is what the variables say", { skip: !existsSync(generator) && "no generator" }, async (t) => {
  const { envExample } = (await import(pathToFileURL(generator).href)) as { envExample: () => string };
  t.equal(await readFile(join(root, ".env.example"), "utf8"), envExample());
});

t.test("timestamp authorities are a list, and a policy is an object identifier", async (t) => {
  t.equal(parseConfig(needed).tsaUrl, undefined);
  const one = parseConfig({ ...needed, DOCKSEAL_TSA_URL: "https://a.example/tsr" });
  t.match(one, { tsaUrl: ["https://a.example/tsr"], tsaImprint: "sha256", tsaProfile: "ecdsa", tsaRenewDays: 90 });
  t.same(parseConfig({ ...needed, DOCKSEAL_TSA_URL: "http://a.example/tsr, https://b.example" }).tsaUrl, [
    "http://a.example/tsr",
    "https://b.example",
  ]);
  for (const bad of ["http://a.example,", "ftp://a.example", "http://a.example,b"]) {
    t.match(complaintOf({ ...needed, DOCKSEAL_TSA_URL: bad }), /DOCKSEAL_TSA_URL must be a URL/, bad);
  }
  for (const good of ["1.2", "0.39", "2.999.1", "1.2.840.113549.1.9.16"]) {
    t.equal(parseConfig({ ...needed, DOCKSEAL_TSA_POLICY: good }).tsaPolicy, good);
  }
  for (const bad of ["1", "3.1", "1.40", "1.2.", "1.2.03", "id-policy"]) {
    t.match(complaintOf({ ...needed, DOCKSEAL_TSA_POLICY: bad }), /DOCKSEAL_TSA_POLICY must be an object/, bad);
  }
});
