import t from "tap";
import { clearAlarm, openAlarms, raiseAlarm } from "#custody";
import { migrate, openDatabase } from "#db";
import { testDatabase } from "../support/postgres.ts";

t.test("an alarm stands once however often it is found, and stays on record when it is over", async (t) => {
  const { url } = await testDatabase(t);
  const db = openDatabase({ url, pool: 4, onConnectionError: (error) => t.comment(error.message) });
  t.teardown(() => db.destroy());
  await migrate(db);
  const alarm = { kind: "log-forked", subject: "county.example/log" };
  const news = await Promise.all([1, 2, 3].map((n) => raiseAlarm(db, { ...alarm, detail: `look ${n}` })));
  t.equal(news.filter(Boolean).length, 1, "three finders, one piece of news");
  t.equal(await raiseAlarm(db, { ...alarm, detail: "again" }), false);
  t.match(await openAlarms(db), [{ ...alarm, detail: "again" }]);
  t.equal(await clearAlarm(db, alarm), true);
  t.equal(await clearAlarm(db, alarm), false);
  t.same(await openAlarms(db), []);
  t.equal(await raiseAlarm(db, { ...alarm, detail: "back" }), true, "the next one is news again");
  const all = await db.selectFrom("alarm").select("clearedAt").orderBy("raisedAt").execute();
  t.equal(all.length, 2, "the first is kept");
});
