import { type Kysely, sql } from "kysely";

/** What finding clips among many needs: an index for each question that is asked often and answered by few. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // Lists are newest first, so each of these gives its clips in that order and a page ends after so many.
  `CREATE INDEX clip_of_recorder ON clip (recorder_id, received_at DESC, id DESC)`,
  `CREATE INDEX clip_of_station ON clip (station_id, received_at DESC, id DESC)`,
  `CREATE INDEX clip_of_collector ON clip (organization_id, collector_number, received_at DESC, id DESC)`,
  `CREATE INDEX clip_of_kind ON clip (organization_id, kind, received_at DESC, id DESC)`,
  `CREATE INDEX clip_important ON clip (organization_id, received_at DESC, id DESC) WHERE important`,
  `CREATE INDEX clip_unplayable ON clip (organization_id, received_at DESC, id DESC) WHERE NOT playable`,
  `CREATE INDEX clip_not_sealed ON clip (organization_id, received_at DESC, id DESC) WHERE state <> 'sealed'`,
  `CREATE INDEX clip_captured ON clip (organization_id, captured_at)`,

  // Parts of names are found by pairs of characters: trigrams know nothing of two characters, and in a database with
  // the C locale nothing of Chinese. The array is as the text is, so the function may stand in an index.
  `CREATE FUNCTION text_pairs(what text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
   DECLARE
     characters text[] := string_to_array(lower(what), NULL);
     pairs text[] := '{}';
   BEGIN
     FOR place IN 1 .. cardinality(characters) - 1 LOOP
       pairs[place] := characters[place] || characters[place + 1];
     END LOOP;
     RETURN pairs;
   END $$`,
  // Of a line break a search knows nothing: no part spans the two.
  `CREATE FUNCTION clip_words(file_name text, case_number text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
     RETURN file_name || E'\\n' || coalesce(case_number, '')`,
  `CREATE INDEX clip_words_pairs ON clip USING gin (text_pairs(clip_words(file_name, case_number)))`,
];
