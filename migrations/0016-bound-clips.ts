import { type Kysely, sql } from "kysely";

/**
 * Whether a clip has a binding that holds, on the clip itself: the tray of those that have none is then an index of its
 * own, however few they are among however many.
 */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const holds = `EXISTS (SELECT FROM current_binding WHERE current_binding.clip_id = clip.id AND NOT withdrawn)`;

const statements = [
  `ALTER TABLE clip ADD COLUMN bound boolean NOT NULL DEFAULT false`,
  `UPDATE clip SET bound = true WHERE ${holds}`,
  `CREATE INDEX clip_unbound ON clip (organization_id, received_at DESC, id DESC) WHERE NOT bound`,
  // The clips are held first, in one order: whoever binds the same clip at the same time waits here, and the look at the
  // bindings comes after. Nobody else may write the column: it follows from the bindings.
  `CREATE FUNCTION note_bound() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
   BEGIN
     PERFORM FROM clip WHERE id IN (SELECT clip_id FROM made) ORDER BY id FOR NO KEY UPDATE;
     UPDATE clip SET bound = NOT bound WHERE id IN (SELECT clip_id FROM made) AND bound <> ${holds};
     RETURN NULL;
   END $$`,
  `CREATE TRIGGER note_bound AFTER INSERT ON binding REFERENCING NEW TABLE AS made
     FOR EACH STATEMENT EXECUTE FUNCTION note_bound()`,
];
