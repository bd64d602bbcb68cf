import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { replaceFile } from "#custody";
import { type Database, inTransaction, openDatabase } from "#db";
import { ensureOrganization, ensurePerson, ensureStation, type Role } from "#identity";
import { type Installation, pathsOf } from "./installation.ts";

/** `access.json`: how to get into an installation. */
export interface Access {
  readonly url: string;
  readonly people: readonly {
    readonly role: Role;
    readonly name: string;
    readonly password: string;
    readonly displayName: string;
  }[];
  /** The first of `stations`. */
  readonly station: StationAccess;
  readonly stations: readonly StationAccess[];
}

interface StationAccess {
  readonly id: string;
  readonly number: string;
  readonly token: string;
}

export interface WantedAccess {
  readonly organization: string;
  readonly people: readonly { readonly role: Role; readonly name: string; readonly displayName: string }[];
  readonly stations: readonly [WantedStation, ...WantedStation[]];
}

interface WantedStation {
  readonly number: string;
  readonly name: string;
}

/**
 * On first use makes the organization, its people and its stations, with random secrets; later only the URL is brought up
 * to date, and a station that is new is added. The file is the only place where the secrets stand in plain: when it is lost, new ones are made.
 */
export async function ensureAccess(installation: Installation, wanted: WantedAccess): Promise<Access> {
  const path = pathsOf(installation.dataDir).access;
  const known = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  const access = await withDatabase(installation, async (db) => {
    if (known === undefined) return makeAccess(db, installation.url, wanted);
    const kept = JSON.parse(known) as Access;
    // An older version knew one station.
    const stations = kept.stations ?? [kept.station];
    const added = wanted.stations.filter(({ number }) => !stations.some((station) => station.number === number));
    const made = added.length === 0 ? [] : await makeStations(db, wanted.organization, added);
    return { ...kept, url: installation.url, stations: [...stations, ...made] };
  });
  await replaceFile(path, `${JSON.stringify(access, null, 2)}\n`, 0o600);
  return access;
}

/** Works as well when what is wanted was made before: then there are new secrets, for the old ones are not known any more. */
async function makeAccess(db: Database, url: string, wanted: WantedAccess): Promise<Access> {
  const organizationId = await inTransaction(db, (tx) => ensureOrganization(tx, wanted.organization));
  const stations = await makeStations(db, wanted.organization, wanted.stations);
  const people = [];
  for (const { role, name, displayName } of wanted.people) {
    const password = randomBytes(12).toString("base64url");
    await ensurePerson(db, { organizationId, signInName: name, displayName, role, password });
    people.push({ role, name, password, displayName });
  }
  return { url, people, station: stations[0] as StationAccess, stations };
}

async function makeStations(
  db: Database,
  organization: string,
  wanted: readonly WantedStation[],
): Promise<StationAccess[]> {
  const organizationId = await inTransaction(db, (tx) => ensureOrganization(tx, organization));
  const made: StationAccess[] = [];
  for (const one of wanted) {
    const { station, token } = await inTransaction(db, (tx) => ensureStation(tx, { organizationId, ...one }));
    made.push({ id: station.id, number: station.number, token });
  }
  return made;
}

async function withDatabase<T>(installation: Installation, work: (db: Database) => Promise<T>): Promise<T> {
  const db = openDatabase({ url: installation.databaseUrl, pool: 2, onConnectionError: () => undefined });
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
}
