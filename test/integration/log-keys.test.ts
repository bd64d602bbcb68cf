import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFile, cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import {
  currentVkeys,
  eventProof,
  keysOfLog,
  lastCheckpoint,
  logKeyIn,
  requireKeyOfLog,
  retireLogKey,
  rotateLogKey,
} from "#custody";
import { noteKeyPair, openCheckpoint, parseLeaf, parseNote, parseVkey, verifyTlogProof } from "#evidence";
import { bareNode } from "../support/bare-node.ts";
import { appendSome, logDifferences, round, signerOf, testLog, testOrigin } from "../support/log.ts";

const idOf = (vkey: string): string => parseVkey(vkey).id.toString("hex");

t.test("keys overlap: both sign, then only the new one, and old proofs name the key that signed them", async (t) => {
  const log = await testLog(t);
  const { db, key } = log;
  const signer = signerOf(log);
  const [early = ""] = await appendSome(db, 1);
  await round(log, signer);
  const before = await eventProof(db, early);

  const added = await rotateLogKey(db, key);
  t.same(await currentVkeys(db), [key.vkey, added]);
  await round(log, signer); // the process goes on, with the key that it never saw before
  const both = await lastCheckpoint(db);
  for (const vkey of [key.vkey, added]) t.equal(openCheckpoint(String(both?.note), [vkey], testOrigin).size, 2);

  await retireLogKey(db, key, idOf(key.vkey));
  t.same(await currentVkeys(db), [added]);
  const [late = ""] = await appendSome(db, 1);
  t.equal(await round(log, signer), 4);
  const after = await lastCheckpoint(db);
  t.equal(openCheckpoint(String(after?.note), [added], testOrigin).size, 4);
  t.throws(() => openCheckpoint(String(after?.note), [key.vkey], testOrigin), { code: "proof-rejected" });

  t.same(await eventProof(db, early), before, "the proof of an old event stays what it was");
  t.equal(before?.vkey, key.vkey);
  const proof = await eventProof(db, late);
  t.equal(proof?.vkey, added);
  t.equal(verifyTlogProof(proof?.proof ?? "", proof?.leaf ?? Buffer.of(), [added]).index, proof?.index);
  t.notMatch(await readFile(join(key.directory, "log.skey"), "utf8"), idOf(key.vkey), "the old secret is gone");

  const rows = await keysOfLog(db);
  const { leaves } = await leavesOf(db);
  t.match(leaves, [
    { type: "log.key-added", subject: { key: rows[1]?.id } },
    { type: "log.key-retired", subject: { key: rows[0]?.id } },
  ]);
  t.same(await logDifferences(db, [key.vkey, added]), [], "every checkpoint is signed by a key of the log");
  await t.rejects(logDifferences(db, [added]), { code: "proof-rejected" }, "the first ones not by the new key");
});

async function leavesOf(db: Parameters<typeof keysOfLog>[0]) {
  const rows = await db
    .selectFrom("custodyEvent")
    .select("leaf")
    .where("type", "like", "log.%")
    .orderBy("at")
    .execute();
  return { leaves: rows.map(({ leaf }) => parseLeaf(leaf)) };
}

t.test("the only key does not retire, nor one that nobody knows", async (t) => {
  const { db, key } = await testLog(t);
  await requireKeyOfLog(db, key);
  await t.rejects(retireLogKey(db, key, idOf(key.vkey)), { code: "usage", detail: /only key/ });
  await t.rejects(retireLogKey(db, key, "00000000"), { code: "usage", detail: /no key/ });
  const added = await rotateLogKey(db, key);
  await retireLogKey(db, key, idOf(added));
  await t.rejects(retireLogKey(db, key, idOf(added)), { code: "usage" }, "not twice");
  t.same(await currentVkeys(db), [key.vkey]);
});

t.test("a rotation that was cut off between file and database is finished by the next", async (t) => {
  const log = await testLog(t);
  const { db, key } = log;
  await requireKeyOfLog(db, key);
  const path = join(key.directory, "log.skey");
  const keysInFile = async () => (await readFile(path, "utf8")).trim().split("\n");
  // The new key is written before it is noted: this is what a process that was killed in between leaves.
  await appendFile(path, `${noteKeyPair(testOrigin, randomBytes(32)).skey}\n`);
  t.same(await currentVkeys(db), [key.vkey], "the database does not");
  await appendSome(db, 1);
  await round(log, signerOf(log));
  const unfinished = String((await lastCheckpoint(db))?.note);
  t.equal(parseNote(unfinished).signatures.length, 1, "what is not noted does not sign");
  const added = await rotateLogKey(db, key);
  t.equal((await keysInFile()).length, 2, "no third key");
  await round(log, signerOf(log));
  t.equal(openCheckpoint(String((await lastCheckpoint(db))?.note), [added]).size, 2);
});

t.test("a key directory that is lost, or older than the last rotation, signs nothing", async (t) => {
  const log = await testLog(t);
  const { db, key, directory } = log;
  await appendSome(db, 1);
  await round(log, signerOf(log));
  const lost = await logKeyIn(join(directory, "new"), testOrigin);
  await t.rejects(requireKeyOfLog(db, lost), { code: "configuration-invalid", detail: /Restore the key directory/ });
  await t.rejects(logKeyIn(key.directory, "other.example/log"), { code: "configuration-invalid" });

  await cp(key.directory, join(directory, "copy"), { recursive: true });
  const copy = await logKeyIn(join(directory, "copy"), testOrigin);
  await rotateLogKey(db, key);
  await requireKeyOfLog(db, copy);
  await t.rejects(round(log, signerOf({ ...log, key: copy })), {
    code: "configuration-invalid",
    detail: /copy the whole/,
  });
  t.equal(await round(log, signerOf(log)), 2, "a process that has both keys goes on");
});

t.test("dockseal log-key does it from the command line", async (t) => {
  const { url, key, directory, db } = await testLog(t);
  const environment = {
    PATH: process.env["PATH"],
    DOCKSEAL_DATABASE_URL: url,
    DOCKSEAL_QUEUE_URL: url,
    DOCKSEAL_STORE_URL: `file://${directory}/evidence?immutable=0`,
    DOCKSEAL_KEYS_DIR: key.directory,
    DOCKSEAL_LOG_ORIGIN: testOrigin,
  };
  const script = join(import.meta.dirname, "../../src/cli/dockseal.ts");
  const dockseal = async (...args: string[]) =>
    (await promisify(execFile)("env", bareNode(script, "log-key", ...args), { env: environment })).stdout;
  const added = /^log key (\S+)\n$/.exec(await dockseal("rotate"))?.[1] ?? "";
  t.match(await dockseal("list"), /^\S+ {2}signs since .*\n\S+ {2}signs since .*\n$/);
  t.equal(await dockseal("retire", idOf(key.vkey)), `retired ${key.vkey}\n`);
  const listed = (await dockseal("list", "--json"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  t.match(listed, [
    { vkey: key.vkey, retiredAt: String },
    { vkey: added, retiredAt: null },
  ]);
  t.same(await currentVkeys(db), [added]);
  await t.rejects(dockseal("retire", "nothing"), { code: 2, stderr: /no key nothing/ });
});
