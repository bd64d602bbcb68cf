import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Database, inTransaction, openDatabase } from "#db";
import { ensureOrganization, ensurePerson, ensureStation, type Role } from "#identity";
import { type Installation, pathsOf } from "./installation.ts";
import { replaceFile } from "./replace-file.ts";

/** `access.json`: how to get into an installation. */
export interface Access {
  readonly url: string;
  readonly people: readonly {
    readonly role: Role;
    readonly name: string;
    readonly password: string;
    readonly displayName: string;
  }[];
  readonly station: { readonly id: string; readonly number: string; readonly token: string };
}

export interface WantedAccess {
  readonly organization: string;
  readonly people: readonly { readonly role: Role; readonly name: string; readonly displayName: string }[];
  readonly station: { readonly number: string; readonly name: string };
}

/**
 * On first use makes the organization, its people and its station, with random secrets; later only the URL is brought up
 * to date. The file is the only place where the secrets stand in plain: when it is lost, new ones are made.
 */
export async function ensureAccess(installation: Installation, wanted: WantedAccess): Promise<Access> {
  const path = pathsOf(installation.dataDir).access;
  const known = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  const access =
    known === undefined
      ? await withDatabase(installation, (db) => makeAccess(db, installation.url, wanted))
      : { ...(JSON.parse(known) as Access), url: installation.url };
  await replaceFile(path, `${JSON.stringify(access, null, 2)}\n`, 0o600);
  return access;
}

/** Works as well when what is wanted was made before: then there are new secrets, for the old ones are not known any more. */
async function makeAccess(db: Database, url: string, wanted: WantedAccess): Promise<Access> {
  const organizationId = await inTransaction(db, (tx) => ensureOrganization(tx, wanted.organization));
  const { station, token } = await inTransaction(db, (tx) => ensureStation(tx, { organizationId, ...wanted.station }));
  const people = [];
  for (const { role, name, displayName } of wanted.people) {
    const password = randomBytes(12).toString("base64url");
    await ensurePerson(db, { organizationId, signInName: name, displayName, role, password });
    people.push({ role, name, password, displayName });
  }
  return { url, people, station: { id: station.id, number: station.number, token } };
}

async function withDatabase<T>(installation: Installation, work: (db: Database) => Promise<T>): Promise<T> {
  const db = openDatabase({ url: installation.databaseUrl, pool: 2, onConnectionError: () => undefined });
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
}
