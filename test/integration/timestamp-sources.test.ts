import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import t, { type Test } from "tap";
import { imprintsOf, verifyTimestampToken } from "#evidence";
import { DocksealError, systemClock } from "#kernel";
import { authorityAt, builtInAuthority, firstThatStamps, type TimestampSource } from "#seal";
import { derInteger, derNull, derOid, derSequence } from "../../src/evidence/timestamp/der.ts";
import { parseTimestampRequest } from "../../src/evidence/timestamp/messages.ts";
import { OID } from "../../src/evidence/timestamp/oids.ts";
import { bareNode } from "../support/bare-node.ts";
import { type InfoOptions, type Party, party, root, token, tstInfo } from "../support/forged-timestamps.ts";

const run = promisify(execFile);
const signal = new AbortController().signal;
const imprints = imprintsOf(Buffer.from("evidence"));
const begun = new Date(Date.now() - 3_600_000);
const anchor = root({ from: begun });
const signer = party({ issuer: anchor, from: begun });
const roots = [anchor.pem];

/** Serves whatever is made of each request, at a URL. */
async function serving(t: Test, answer: (request: Buffer) => Buffer | undefined | Promise<Buffer | undefined>) {
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    buffer(request)
      .then(answer)
      .then(
        (body) => (body === undefined ? undefined : response.writeHead(200).end(body)),
        () => response.writeHead(500).end(),
      );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/tsr`, asked: () => asked };
}

const granted = (der: Buffer): Buffer => derSequence(derSequence(derInteger(0)), der);

/** What a right authority answers, with any part of it different. */
function answering(different: InfoOptions = {}, by: Party = signer) {
  return (request: Buffer): Buffer => {
    const { imprint, nonce = 0n } = parseTimestampRequest(request);
    const algorithm = derSequence(derOid(imprint.algorithm.oid), derNull());
    const right = { algorithm, imprint: imprint.hash, genTime: new Date(), rest: [derInteger(nonce)] };
    return granted(token(by, { content: tstInfo({ ...right, ...different }) }));
  };
}

t.test("what an authority answers is kept only when it is a fresh answer to this question", async (t) => {
  const minutes = (n: number): Date => new Date(Date.now() + n * 60_000);
  const stamp = async (answer: (request: Buffer) => Buffer | Promise<Buffer>, policy?: string) =>
    authorityAt((await serving(t, answer)).url, { roots, clock: systemClock, policy }).stamp(imprints, signal);
  const stamped = await stamp(answering());
  t.match(stamped, { independent: true, roots, passedOver: [] });
  t.ok(verifyTimestampToken(stamped.tokenDer, { imprint: imprints, roots }));
  t.ok(await stamp(answering({ genTime: minutes(-4) })), "clocks may differ a little");
  t.ok(await stamp(answering({ policy: "1.2.3.9" }), "1.2.3.9"));

  const old = party({ issuer: anchor, from: new Date("2020-01-01T00:00:00Z") });
  const trailing = (request: Buffer): Buffer => Buffer.concat([answering()(request), Buffer.of(0)]);
  const indefinite = (request: Buffer): Buffer => {
    const right = answering()(request); // 30 82 ll ll … becomes 30 80 … 00 00: BER for the same
    return Buffer.concat([Buffer.of(0x30, 0x80), right.subarray(4), Buffer.of(0, 0)]);
  };
  const sha384 = derSequence(derOid("2.16.840.1.101.3.4.2.2"), derNull());
  const sm3 = derSequence(derOid(OID.sm3), derNull());
  for (const [why, check, answer, policy] of [
    ["another nonce", "nonce", answering({ rest: [derInteger(7)] })],
    ["no nonce", "nonce", answering({ rest: [] })],
    ["another imprint", "imprint", answering({ imprint: Buffer.alloc(32) })],
    ["another algorithm", "imprint-algorithm", answering({ algorithm: sha384, imprint: Buffer.alloc(48) })],
    ["SM3 that was not asked for", "imprint-algorithm", answering({ algorithm: sm3, imprint: imprints.sm3 })],
    ["another policy", "policy", answering(), "1.2.3.9"],
    ["a time before the question", "time", answering({ genTime: minutes(-6) })],
    ["a time to come", "time", answering({ genTime: minutes(30) })],
    ["an expired certificate", "certificate-validity", answering({}, old)],
    ["another root", "chain", answering({}, party({ issuer: root({ from: begun }), from: begun }))],
    ["bytes left over", "der", trailing],
    ["BER that is no DER", "der", indefinite],
    ["no token", "status", () => derSequence(derSequence(derInteger(0)))],
    ["no DER", "der", () => Buffer.from("<html>")],
  ] as const) {
    await t.rejects(stamp(answer, policy), { code: "timestamp-rejected", extra: { check } }, why);
  }
  await t.rejects(
    stamp(() => derSequence(derSequence(derInteger(2)))),
    { message: /refused: status 2/ },
  );
  await t.rejects(
    stamp(() => Buffer.alloc(300_000)),
    { code: "timestamp-unavailable" },
    "an endless answer",
  );
});

t.test("SM3 is asked for where it is wanted and given", async (t) => {
  const algorithms: string[] = [];
  const { url } = await serving(t, (request) => {
    algorithms.push(parseTimestampRequest(request).imprint.algorithm.oid);
    return answering()(request);
  });
  const source = authorityAt(url, { roots, clock: systemClock, imprint: "sm3" });
  const { tokenDer } = await source.stamp(imprints, signal);
  t.ok(verifyTimestampToken(tokenDer, { imprint: { sm3: imprints.sm3 }, roots }));
  await source.stamp({ sha256: imprints.sha256 }, signal);
  t.same(algorithms, [OID.sm3, OID.sha256]);
  const builtIn = await builtInAuthority(t.testdir(), systemClock, { imprint: "sm3" });
  const own = await builtIn.stamp(imprints, signal);
  t.ok(verifyTimestampToken(own.tokenDer, { imprint: { sm3: imprints.sm3 }, roots: builtIn.roots }));
});

t.test("where one authority fails the next is asked, and a dead one does not slow what comes after", async (t) => {
  const dead = "http://127.0.0.1:1/tsr";
  const silent = await serving(t, () => undefined);
  const liar = await serving(t, answering({ rest: [derInteger(7)] }));
  const good = await serving(t, answering());
  let now = Date.now();
  const clock = { now: () => new Date(now) };
  // Of the silent one alone: whoever answers may take as long as it needs.
  const options = (url: string) => ({ roots, clock: systemClock, ...(url === silent.url && { deadlineMs: 300 }) });
  const told: string[] = [];
  const source = firstThatStamps(
    [dead, silent.url, liar.url, good.url].map((url) => authorityAt(url, options(url))),
    { clock, onPassedOver: (reason) => told.push(reason) },
  );
  const { authority, passedOver } = await source.stamp(imprints, signal);
  t.equal(authority, good.url);
  t.match(passedOver, [/^http.*no answer/, /^http.*no answer/, /^http.*nonce/]);
  t.same(told, passedOver);

  t.same((await source.stamp(imprints, signal)).passedOver, [], "the others rest");
  t.same([silent.asked(), liar.asked(), good.asked()], [1, 1, 2]);
  now += 10_000;
  t.equal((await source.stamp(imprints, signal)).passedOver.length, 3, "after a while they are asked again");
  now += 10_000;
  t.equal((await source.stamp(imprints, signal)).passedOver.length, 0, "then they rest for longer");
  t.match(source, { independent: true, name: `${dead}, ${silent.url}, ${liar.url}, ${good.url}`, roots });
});

t.test("an authority that rests is asked when all others fail, and is as good as new when it answers", async (t) => {
  let up = false;
  let asked = 0;
  const flaky: TimestampSource = {
    ...{ name: "flaky", independent: true, roots },
    stamp: async () => {
      asked += 1;
      if (!up) throw new DocksealError("timestamp-unavailable");
      return {
        ...{ tokenDer: Buffer.of(), genTime: new Date(), authority: "flaky", independent: true },
        roots,
        passedOver: [],
      };
    },
  };
  const refusing: TimestampSource = {
    ...{ name: "refusing", independent: false, roots: ["other"] },
    stamp: () => Promise.reject(new DocksealError("timestamp-rejected", { detail: "status 2" })),
  };
  const clock = { now: () => new Date() };
  const source = firstThatStamps([flaky, refusing], { clock, onPassedOver: () => undefined });
  t.match(source, { independent: false, roots: [...roots, "other"] });
  await t.rejects(source.stamp(imprints, signal), {
    code: "timestamp-unavailable",
    message: /flaky: .*; refusing: status 2/,
  });
  await t.rejects(source.stamp(imprints, signal), { code: "timestamp-unavailable" });
  up = true;
  t.equal((await source.stamp(imprints, signal)).authority, "flaky");
  up = false;
  const before = asked;
  await t.rejects(source.stamp(imprints, signal));
  t.equal(asked, before + 1);
  const both = firstThatStamps([refusing, { ...refusing, name: "too" }], { clock, onPassedOver: () => undefined });
  await t.rejects(both.stamp(imprints, signal), { code: "timestamp-rejected", message: /refusing: .*; too: / });
  const faulty: TimestampSource = { ...refusing, stamp: () => Promise.reject(new TypeError("a bug")) };
  const broken = firstThatStamps([faulty, flaky], { clock, onPassedOver: () => undefined });
  await t.rejects(broken.stamp(imprints, signal), TypeError, "a fault of ours is not passed over");
  t.throws(() => firstThatStamps([], { clock, onPassedOver: () => undefined }), RangeError);
  t.equal(firstThatStamps([flaky], { clock, onPassedOver: () => undefined }), flaky);
});

t.test("whoever stops asking gets no further authority asked", async (t) => {
  const silent = await serving(t, () => undefined);
  const next = await serving(t, answering());
  const stop = new AbortController();
  const source = firstThatStamps(
    [silent.url, next.url].map((url) => authorityAt(url, { roots, clock: systemClock })),
    { clock: systemClock, onPassedOver: () => undefined },
  );
  const asking = source.stamp(imprints, stop.signal);
  stop.abort(new Error("stopped"));
  await t.rejects(asking, { message: "stopped" });
  t.equal(next.asked(), 0);
});

t.test("serial numbers of the built-in authority never repeat, however many processes ask at once", async (t) => {
  const keysDir = t.testdir();
  const child = join(import.meta.dirname, "../support/authority-child.ts");
  const printed = await Promise.all(
    Array.from({ length: 4 }, () => run("env", bareNode(child, keysDir, "250"), { maxBuffer: 8 * 1024 * 1024 })),
  );
  const { roots } = await builtInAuthority(keysDir, systemClock);
  const lines = printed.flatMap(({ stdout }) => stdout.trim().split("\n"));
  const imprint = Buffer.alloc(32, 1);
  const serials = lines.map((line) => verifyTimestampToken(Buffer.from(line, "base64"), { imprint, roots }).serial);
  t.equal(serials.length, 1000, "all of one authority, although four processes found none");
  t.equal(new Set(serials).size, 1000);
  t.ok(
    serials.some((serial) => serial.length === 32),
    "of 128 bits",
  );
});

t.test("the built-in authority makes RSA keys when it is told to, and keeps those that it has", async (t) => {
  const directory = t.testdir();
  const rsa = await builtInAuthority(directory, systemClock, { profile: "rsa" });
  const { tokenDer } = await rsa.stamp(imprints, signal);
  t.ok(verifyTimestampToken(tokenDer, { imprint: imprints, roots: rsa.roots }));
  t.same((await builtInAuthority(directory, systemClock, { profile: "ecdsa" })).roots, rsa.roots);
});
