import t from "tap";
import { problems } from "#kernel";
import { chainEn } from "../../src/console/words/chain-en.ts";
import { chainZh } from "../../src/console/words/chain-zh.ts";
import { en } from "../../src/console/words/en.ts";
import { problemWords } from "../../src/console/words/problems.ts";
import { zh } from "../../src/console/words/zh.ts";
import { eventTypes } from "../../src/custody/append.ts";
import { CHECKS } from "../../src/verify-page/words.ts";

// What the console says, as a whole: nothing that can happen is left without words.

const chinese = /\p{Script=Han}/u;

t.test("every type of event has a sentence in both languages", async (t) => {
  // What a viewing was for is said by words of the player.
  const sentences = [zh, en].map(({ custody, player }) => {
    const said = Object.entries(custody.events).map(([type, text]) => [
      type,
      text.replace("{{viewed}}", player.viewed),
    ]);
    return new Map(said as [string, string][]);
  });
  for (const type of eventTypes) {
    const [inChinese, inEnglish] = sentences.map((words) => words.get(type.replace(".", "_")) ?? "");
    t.match(inChinese, chinese, type);
    t.match(inEnglish, /[a-z]{3}/, type);
    t.notMatch(inEnglish, chinese, type);
  }
});

/** What only stations, other programs and operators are told: in their protocols, or before a server runs. */
const notAtTheConsole: ReadonlySet<string> = new Set([
  ...["token-unknown", "gateway-key-refused", "source-address-refused", "metadata-missing", "file-before-metadata"],
  ...["file-missing", "one-file-only", "empty-file", "file-too-large", "length-differs", "digest-differs"],
  ...["not-announced", "file-number-reused", "records-refused", "wiped-without-receipt", "upload-stalled"],
  ...["upload-aborted", "tus-version-unsupported", "upload-offset-differs", "upload-locked", "upload-incomplete"],
  ...["upload-gone", "checksum-differs", "no-budget", "too-many-uploads", "wipe-not-covered"],
  ...["configuration-invalid", "usage"],
]);

t.test("every problem that somebody at the console can meet is said in Chinese, with what to do", async (t) => {
  for (const code of Object.keys(problems)) {
    const words = problemWords(code, "zh-CN");
    if (notAtTheConsole.has(code)) {
      t.equal(words, undefined, `${code} is no longer one that nobody at the console meets`);
      continue;
    }
    t.match(words?.title, chinese, code);
    t.match(words?.advice, chinese, code);
    t.notMatch(Object.values(problemWords(code, "en") ?? {}).join(), chinese, code);
  }
  for (const code of notAtTheConsole) t.ok(code in problems, `${code} is a code of the catalogue`);
  t.equal(problemWords("toString", "en"), undefined, "a code that is none has no words");
});

t.test("every check of a verification says in both languages why it failed", async (t) => {
  for (const name of CHECKS.keys()) {
    t.match(Reflect.get(chainZh.failed, name), chinese, name);
    t.match(Reflect.get(chainEn.failed, name), /[a-z]{3}/, name);
  }
  t.same(Object.keys(chainZh.failed).sort(), [...CHECKS.keys()].sort());
});

t.test("sentences in both languages name the same things", async (t) => {
  const flat = (words: object, path = ""): [string, string][] =>
    Object.entries(words).flatMap(([key, value]) =>
      typeof value === "string" ? [[`${path}${key}`, value] as [string, string]] : flat(value, `${path}${key}.`),
    );
  const named = (text: string | undefined) =>
    [...(text ?? "").matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name).sort();
  const english = new Map(flat(en));
  for (const [key, text] of flat(zh)) t.same(named(english.get(key)), named(text), key);
});
