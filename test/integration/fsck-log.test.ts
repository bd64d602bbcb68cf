import { writeFile } from "node:fs/promises";
import { type RawBuilder, sql } from "kysely";
import t from "tap";
import { anchorOnce, appendEvent, rotateLogKey } from "#custody";
import { inTransaction } from "#db";
import { newId, systemClock } from "#kernel";
import { builtInAuthority } from "#seal";
import { fsckOfLog, fsckOfLogAfter } from "../support/fsck.ts";
import { appendSome, round, signerOf, testLog } from "../support/log.ts";

const log = await testLog(t);
const { db, key } = log;
const signer = signerOf(log);
for (const count of [3, 260, 700]) {
  await appendSome(db, count);
  await round(log, signer);
}
await rotateLogKey(db, key);
await inTransaction(db, async (tx) => {
  const person = { type: "person", id: newId(), organizationId: newId(), role: "auditor" } as const;
  const actor = { ...person, displayName: "somebody", sessionId: newId(), csrfToken: "" };
  await appendEvent(tx, { type: "clip.viewed", clipId: newId(), caseId: newId(), actor, details: { at: "甲" } });
});
await round(log, signer);
const timestamps = await builtInAuthority(key.directory, systemClock);
await anchorOnce({
  ...{ db, store: log.store, timestamps, everySeconds: 0, retentionDays: 1, signal: new AbortController().signal },
  onError: (error) => {
    throw error;
  },
});
await appendSome(db, 2); // these wait
const entries = 3 + 260 + 700 + 2;

t.test("a sound log is clean, and everything in it was read", async (t) => {
  const { findings, counts } = await fsckOfLog(db, key);
  t.same(findings, []);
  t.same(counts, { entries, waiting: 2, tiles: 4 + 1, checkpoints: 4, fixed: 1 });
});

/** Changes, and what fsck must name: kind and subject. */
const table: readonly [
  what: string,
  change: RawBuilder<unknown>,
  named: readonly (readonly [kind: string, subject: string])[],
][] = [
  [
    "a byte of a leaf",
    sql`UPDATE custody_event SET leaf = set_byte(leaf, 10, get_byte(leaf, 10) # 1) WHERE id = (SELECT event_id FROM log_entry WHERE index = 300)`,
    [
      ["log-entry", "300"],
      ["custody-event", "?"],
      ["log-tile", "0/1"],
      ["log-tile", "1/0"],
      ["log-checkpoint", "963"],
      ["log-checkpoint", "965"],
    ],
  ],
  [
    "a noted hash",
    sql`UPDATE log_entry SET leaf_hash = set_byte(leaf_hash, 0, get_byte(leaf_hash, 0) # 1) WHERE index = 7`,
    [["log-entry", "7"]],
  ],
  [
    "a byte of a tile",
    sql`UPDATE log_tile SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1) WHERE level = 0 AND index = 2`,
    [["log-tile", "0/2"]],
  ],
  [
    "a tile that is gone",
    sql`DELETE FROM log_tile WHERE level = 1`,
    [
      ["log-tile", "1/0"],
      ["log-head", `${key.directory}/log.head`],
    ],
  ],
  [
    "a tile that is too short",
    sql`UPDATE log_tile SET hashes = substring(hashes FOR 64) WHERE level = 0 AND index = 3`,
    [
      ["log-tile", "0/3"],
      ["log-head", `${key.directory}/log.head`],
    ],
  ],
  [
    "a tile too many",
    sql`INSERT INTO log_tile (level, index, hashes) SELECT 2, 0, substring(hashes FOR 32) FROM log_tile WHERE level = 0 AND index = 0`,
    [["log-tile", "2/0"]],
  ],
  [
    "an entry that is gone",
    sql`DELETE FROM log_entry WHERE index = 5`,
    [
      ["log-entry", "5"],
      ["custody-event", "?"],
    ],
  ],
  [
    "two entries that are gone",
    sql`DELETE FROM log_entry WHERE index IN (5, 6)`,
    [
      ["log-entry", "5 to 6"],
      ["custody-event", "?"],
      ["custody-event", "?"],
    ],
  ],
  [
    "the last entry, gone with what it was about",
    sql`WITH gone AS (DELETE FROM log_entry WHERE index = 964 RETURNING event_id) DELETE FROM custody_event USING gone WHERE id = event_id`,
    [
      ["log-tile", "0/3"],
      ["log-checkpoint", "965"],
      ["log-head", `${key.directory}/log.head`],
    ],
  ],
  [
    "an entry at a place far away",
    sql`UPDATE log_entry SET index = 1125899906842624 WHERE index = 964`,
    [["log-entry", "964 to 1125899906842623"]],
  ],
  [
    "an entry whose event is gone",
    sql`DELETE FROM custody_event WHERE id = (SELECT event_id FROM log_entry WHERE index = 8)`,
    [["log-entry", "8"]],
  ],
  [
    "an event that is in no log",
    sql`DELETE FROM custody_pending WHERE position = (SELECT max(position) FROM custody_pending)`,
    [["custody-event", "?"]],
  ],
  [
    "an event that has a place and waits for one",
    sql`INSERT INTO custody_pending (event_id) SELECT event_id FROM log_entry WHERE index = 1`,
    [["custody-event", "?"]],
  ],
  [
    "a place for no event",
    sql`INSERT INTO custody_pending (event_id) VALUES (gen_random_uuid())`,
    [["custody-event", "?"]],
  ],
  [
    "what an event tells",
    sql`UPDATE custody_event SET details = '{"at": 1000}' WHERE id = (SELECT event_id FROM log_entry WHERE index = 1)`,
    [["custody-event", "?"]],
  ],
  [
    "what a waiting event tells",
    sql`UPDATE custody_event SET details = '{"at": 1000}' WHERE id = (SELECT event_id FROM custody_pending ORDER BY position LIMIT 1)`,
    [["custody-event", "?"]],
  ],
  [
    "a salt",
    sql`UPDATE custody_event SET salt = repeat('0', 64) WHERE id = (SELECT event_id FROM log_entry WHERE index = 1)`,
    [["custody-event", "?"]],
  ],
  [
    "a type",
    sql`UPDATE custody_event SET type = 'clip.verified' WHERE id = (SELECT event_id FROM log_entry WHERE index = 1)`,
    [["custody-event", "?"]],
  ],
  [
    "a type that has another kind of leaf",
    sql`UPDATE custody_event SET type = 'clip.seal-published' WHERE id = (SELECT event_id FROM log_entry WHERE index = 1)`,
    [["custody-event", "?"]],
  ],
  [
    "a time, by a microsecond",
    sql`UPDATE custody_event SET at = at + interval '1 microsecond' WHERE id = (SELECT event_id FROM log_entry WHERE index = 1)`,
    [["custody-event", "?"]],
  ],
  [
    "the clip of an event",
    sql`UPDATE custody_event SET clip_id = gen_random_uuid() WHERE id = (SELECT event_id FROM log_entry WHERE index = 1)`,
    [["custody-event", "?"]],
  ],
  [
    "the case of an event",
    sql`UPDATE custody_event SET case_id = NULL WHERE case_id IS NOT NULL`,
    [["custody-event", "?"]],
  ],
  [
    "the person of an event",
    sql`UPDATE custody_event SET actor = 'person:' || gen_random_uuid() WHERE actor LIKE 'person:%'`,
    [["custody-event", "?"]],
  ],
  [
    "a machine in place of the person",
    sql`UPDATE custody_event SET actor = 'system:hash' WHERE actor LIKE 'person:%'`,
    [["custody-event", "?"]],
  ],
  [
    "a root",
    sql`UPDATE log_checkpoint SET root = set_byte(root, 3, get_byte(root, 3) # 1) WHERE size = 263`,
    [
      ["log-checkpoint", "263"],
      ["log-checkpoint", "263"],
    ],
  ],
  [
    "a signature",
    sql`UPDATE log_checkpoint SET note = translate(note, 'abcdefgh', 'bcdefgha') WHERE size = 263`,
    [["log-checkpoint", "263"]],
  ],
  [
    "one of two signatures, so that it is of no known key",
    sql`UPDATE log_checkpoint SET note = regexp_replace(note, '(— [^ ]+) ....', '\\1 AAAA') WHERE size = 965`,
    [
      ["log-checkpoint", "965"],
      ["log-timestamp", "965"],
    ],
  ],
  [
    "a checkpoint of a size that has none",
    sql`INSERT INTO log_checkpoint (size, root, note) SELECT 100, root, note FROM log_checkpoint WHERE size = 263`,
    [
      ["log-checkpoint", "100"],
      ["log-checkpoint", "100"],
    ],
  ],
  [
    "a checkpoint beyond the log",
    sql`UPDATE log_checkpoint SET size = 1000 WHERE size = 263`,
    [
      ["log-checkpoint", "1000"],
      ["log-checkpoint", "1000"],
    ],
  ],
  [
    "a byte of a timestamp",
    sql`UPDATE log_checkpoint_timestamp SET token = set_byte(token, 100, get_byte(token, 100) # 1)`,
    [["log-timestamp", "965"]],
  ],
  [
    "the noted time of a timestamp",
    sql`UPDATE log_checkpoint_timestamp SET generated_at = generated_at - interval '1 second'`,
    [["log-timestamp", "965"]],
  ],
  [
    "a key of the log",
    sql`UPDATE log_key SET vkey = overlay(vkey PLACING (CASE substring(vkey FROM 22 FOR 1) WHEN '0' THEN '1' ELSE '0' END) FROM 22)`,
    [
      ["log-key", "?"],
      ["log-key", "?"],
      ["log-key", "?"],
    ],
  ],
  [
    "a key that retired without an event",
    sql`UPDATE log_key SET retired_at = now()`,
    [
      ["log-key", "?"],
      ["log-key", "?"],
    ],
  ],
];

for (const [what, change, named] of table) {
  t.test(`changed behind the back: ${what}`, async (t) => {
    const { findings } = await fsckOfLogAfter(db, key, (tx) => change.execute(tx));
    const found = findings.map(({ kind, subject }) => [kind, subject] as const);
    t.ok(findings.every(({ detail }) => detail.length > 0));
    for (const [kind, subject] of named) {
      const at = found.findIndex((one) => one[0] === kind && (one[1] === subject || subject === "?"));
      t.ok(at >= 0, `${kind} ${subject} is named`, { findings });
      found.splice(at, 1);
    }
    t.same(found, [], "and nothing else", { findings });
  });
}

t.test("a head beside the key that is of another history is named", async (t) => {
  const other = await testLog(t);
  await appendSome(other.db, 2);
  await round(other, signerOf(other));
  const { rows } = await sql<{ note: string }>`SELECT note FROM log_checkpoint`.execute(other.db);
  await writeFile(`${key.directory}/log.head`, rows[0]?.note ?? "");
  const { findings } = await fsckOfLog(db, key);
  t.match(findings, [{ kind: "log-head", detail: /not a checkpoint of this log/ }]);
});
