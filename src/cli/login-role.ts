import { randomBytes } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import { writeOnce } from "#custody";
import type { Database } from "#db";

/**
 * Roles that the processes of an installation sign in as. `dockseal_service` is a member of `dockseal_app` and owns
 * nothing; `dockseal_queue` owns the queue's database and nothing else.
 */
export type LoginRole = "dockseal_service" | "dockseal_queue";

/** Makes the role, or sets its password, which is made once and kept in the key directory. Run as the superuser. */
export async function ensureLoginRole(
  owner: Database,
  keysDir: string,
  name: LoginRole,
): Promise<{ name: string; password: string }> {
  await mkdir(keysDir, { recursive: true, mode: 0o700 });
  const path = join(keysDir, `${name}.password`);
  await writeOnce(path, () => randomBytes(24).toString("base64url"));
  const password = (await readFile(path, "utf8")).trim();
  const known = await sql<{
    found: boolean;
  }>`SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = ${name}) AS found`.execute(owner);
  const verb = known.rows[0]?.found === true ? sql`ALTER` : sql`CREATE`;
  // Role statements take no parameters; the password is base64url, which needs no escaping.
  await sql`${verb} ROLE ${sql.id(name)} LOGIN NOBYPASSRLS PASSWORD ${sql.lit(password)}`.execute(owner);
  return { name, password };
}
