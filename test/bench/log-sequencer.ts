import { logKeyIn, runSequencer } from "#custody";
import { openDatabase } from "#db";
import { openStore } from "#store";

/*
 * The sequencer in a process of its own, as in `dockseal work`: it shares neither the thread nor the connections of the
 * writers that are measured. Says `ready`, and ends with its parent.
 */

const [databaseUrl = "", directory = ""] = process.argv.slice(2);
const db = openDatabase({ url: databaseUrl, pool: 4, onConnectionError: (error) => console.error(error) });
const store = await openStore(`file://${directory}/evidence?immutable=0`, { createBucket: true });
const key = await logKeyIn(`${directory}/keys`, "bench.example/log");
const stop = new AbortController();
for (const event of ["disconnect", "SIGTERM"] as const) process.once(event, () => stop.abort());
process.stdout.write("ready\n");
await runSequencer({ db, key, store, signal: stop.signal, onError: (error) => console.error(error) });
await store.close();
await db.destroy();
process.exit();
