import { randomBytes } from "node:crypto";
import { configFromEnvironment } from "#config";
import { inTransaction } from "#db";
import { createOrganization, createPerson } from "#identity";
import { newLogger } from "./logger.ts";
import { databaseOf } from "./platform.ts";

/** `dockseal admin`: makes an organization and its first administrator, and prints the password once. */
export async function admin(options: { organization: string; name: string }): Promise<number> {
  const config = configFromEnvironment();
  const db = databaseOf(config, newLogger("admin", config.logLevel));
  try {
    const { id } = await inTransaction(db, (tx) => createOrganization(tx, options.organization));
    const password = randomBytes(15).toString("base64url");
    await createPerson(db, {
      organizationId: id,
      signInName: options.name,
      displayName: options.name,
      role: "administrator",
      password,
    });
    process.stdout.write(`${JSON.stringify({ organizationId: id, name: options.name, password })}\n`);
    return 0;
  } finally {
    await db.destroy();
  }
}
