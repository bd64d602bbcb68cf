import { sql } from "kysely";
import { type Database, inTransaction } from "#db";
import {
  appendToTiles,
  commit,
  encodeLeaf,
  leafHash,
  MerkleRoot,
  type NoteSigner,
  parseLeaf,
  signCheckpoint,
} from "#evidence";

/**
 * Rewrites history as the owner of the database who also has the log's key could: one event gets other details, then
 * everything that follows from it is made anew and signed again, and a checkpoint over one entry more. Nothing inside
 * the database shows it afterwards.
 * @returns the size of the new checkpoint.
 */
export function rewriteHistory(owner: Database, signer: NoteSigner, at: number): Promise<number> {
  return inTransaction(owner, async (tx) => {
    // no triggers, no foreign keys
    await sql`SET LOCAL session_replication_role = replica`.execute(tx);
    const entries = await tx
      .selectFrom("logEntry")
      .innerJoin("custodyEvent", "custodyEvent.id", "logEntry.eventId")
      .select(["index", "id", "leaf", "salt"])
      .orderBy("index")
      .execute();
    const victim = entries[at];
    const last = entries.at(-1);
    if (victim === undefined || last === undefined) throw new Error(`there is no entry ${at}`);
    const details = { story: "another" };
    victim.leaf = encodeLeaf({ ...parseLeaf(victim.leaf), commitment: commit(details, victim.salt) });
    await tx
      .updateTable("custodyEvent")
      .set({ leaf: victim.leaf, details: JSON.stringify(details) })
      .where("id", "=", victim.id)
      .execute();
    await tx
      .updateTable("logEntry")
      .set({ leafHash: leafHash(victim.leaf) })
      .where("index", "=", victim.index)
      .execute();
    const hashes = entries.map(({ leaf }) => leafHash(leaf));
    await sql`DELETE FROM log_tile`.execute(tx);
    const tiles = await appendToTiles(0, hashes, () => Promise.reject(new Error("a new tree has no tiles")));
    await tx.insertInto("logTile").values(tiles).execute();
    await sql`DELETE FROM log_witnessed`.execute(tx);
    await sql`DELETE FROM log_cosignature`.execute(tx);
    const { rows } = await sql<{ size: number }>`SELECT size FROM log_checkpoint`.execute(tx);
    const newest = entries.length;
    const sizes = new Set([...rows.map(({ size }) => size), newest]);
    const tree = new MerkleRoot();
    for (const hash of hashes) {
      tree.append(hash);
      const size = tree.count;
      if (!sizes.has(size)) continue;
      const root = tree.root();
      const note = signCheckpoint({ origin: signer.name, size, root, extensions: [] }, [signer]);
      await tx
        .insertInto("logCheckpoint")
        .values({ size, root, note })
        .onConflict((conflict) => conflict.column("size").doUpdateSet({ root, note }))
        .execute();
    }
    return newest;
  });
}
