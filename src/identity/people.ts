import { type Database, inTransaction } from "#db";
import { DocksealError, newId } from "#kernel";
import { unlessTaken } from "./organizations.ts";
import { type PersonActor, type Role, roles } from "./roles.ts";
import { newSecret, passwordHash, passwordMatches, secretDigest } from "./secrets.ts";

export interface Person {
  readonly id: string;
  readonly organizationId: string;
  readonly signInName: string;
  readonly displayName: string;
  readonly role: Role;
}

/** Shortest password that is taken; longer is what makes a password strong (NIST SP 800-63B §3.1.1.2). */
export const minimumPasswordLength = 12;

/** @throws DocksealError `conflict` when the sign-in name is taken, `malformed-field` when the password is too short. */
export async function createPerson(
  db: Database,
  wanted: { organizationId: string; signInName: string; displayName: string; role: Role; password: string },
): Promise<Person> {
  if (wanted.password.length < minimumPasswordLength) {
    throw new DocksealError("malformed-field", {
      extra: { errors: [{ field: "password", problem: `must have at least ${minimumPasswordLength} characters` }] },
    });
  }
  const { password, ...rest } = wanted;
  const person = { id: newId(), ...rest };
  const hashed = await passwordHash(password);
  await unlessTaken(`A person who signs in as ${JSON.stringify(wanted.signInName)} exists`, () =>
    db
      .insertInto("person")
      .values({ ...person, passwordHash: hashed })
      .executeTakeFirstOrThrow(),
  );
  return person;
}

/**
 * Makes sure that a person of the organization can sign in with that password: makes the person, or sets the password
 * anew, which ends the person's sessions.
 */
export async function ensurePerson(db: Database, wanted: Parameters<typeof createPerson>[1]): Promise<void> {
  const known = await db
    .selectFrom("person")
    .select("id")
    .where("organizationId", "=", wanted.organizationId)
    .where("signInName", "=", wanted.signInName)
    .executeTakeFirst();
  if (known === undefined) {
    await createPerson(db, wanted);
    return;
  }
  const hashed = await passwordHash(wanted.password);
  await inTransaction(db, async (tx) => {
    await tx.updateTable("person").set({ passwordHash: hashed }).where("id", "=", known.id).execute();
    await tx
      .updateTable("session")
      .set({ endedAt: new Date().toISOString() })
      .where("personId", "=", known.id)
      .where("endedAt", "is", null)
      .execute();
  });
}

export async function peopleOf(db: Database, organizationId: string): Promise<Person[]> {
  const rows = await db
    .selectFrom("person")
    .select(["id", "organizationId", "signInName", "displayName", "role"])
    .where("organizationId", "=", organizationId)
    .where("disabledAt", "is", null)
    .orderBy("signInName")
    .execute();
  return rows.map((row) => ({ ...row, role: roleOf(row.role) }));
}

/** The names that people of an organization are shown by, also of those who are no longer let in. */
export async function displayNames(
  db: Database,
  organizationId: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom("person")
    .select(["id", "displayName"])
    .where("organizationId", "=", organizationId)
    .where("id", "in", [...ids])
    .execute();
  return new Map(rows.map(({ id, displayName }) => [id, displayName]));
}

/**
 * Checks name and password and opens a session.
 * @returns the session's token in plain, for the cookie; only its hash is stored.
 * @throws DocksealError `sign-in-failed`, the same and after the same work whether the name or the password is wrong.
 */
export async function signIn(
  db: Database,
  given: { signInName: string; password: string; hours: number },
): Promise<{ token: string; actor: PersonActor; expiresAt: string }> {
  const person = await db
    .selectFrom("person")
    .select(["id", "organizationId", "displayName", "role", "passwordHash"])
    .where("signInName", "=", given.signInName)
    .where("disabledAt", "is", null)
    .executeTakeFirst();
  const matches = await passwordMatches(person?.passwordHash ?? (await hashOfNobody()), given.password);
  if (person === undefined || !matches) throw new DocksealError("sign-in-failed");
  const secret = newSecret("dss");
  const session = { id: newId(), csrfToken: newSecret("csrf").plain };
  const expiresAt = new Date(Date.now() + given.hours * 3_600_000).toISOString();
  await db
    .insertInto("session")
    .values({ ...session, personId: person.id, tokenHash: secret.digest, expiresAt })
    .executeTakeFirstOrThrow();
  const actor: PersonActor = {
    type: "person",
    id: person.id,
    organizationId: person.organizationId,
    role: roleOf(person.role),
    displayName: person.displayName,
    sessionId: session.id,
    csrfToken: session.csrfToken,
  };
  return { token: secret.plain, actor, expiresAt };
}

/** Undefined when the session is unknown, over or ended, or when the person was disabled. */
export async function personOfSession(db: Database, token: string): Promise<PersonActor | undefined> {
  const row = await openSessions(db)
    .select([
      "person.id",
      "person.organizationId",
      "person.displayName",
      "person.role",
      "session.id as sessionId",
      "session.csrfToken",
    ])
    .where("session.tokenHash", "=", secretDigest(token))
    .executeTakeFirst();
  return row === undefined ? undefined : { type: "person", ...row, role: roleOf(row.role) };
}

/** Of these sessions, those that still let somebody in. */
export async function sessionsThatHold(db: Database, sessionIds: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await openSessions(db)
    .select("session.id")
    .where("session.id", "in", [...sessionIds])
    .execute();
  return new Set(rows.map(({ id }) => id));
}

function openSessions(db: Database) {
  return db
    .selectFrom("session")
    .innerJoin("person", "person.id", "session.personId")
    .where("session.endedAt", "is", null)
    .where("session.expiresAt", ">", new Date().toISOString())
    .where("person.disabledAt", "is", null);
}

export async function endSession(db: Database, sessionId: string): Promise<void> {
  await db
    .updateTable("session")
    .set({ endedAt: new Date().toISOString() })
    .where("id", "=", sessionId)
    .where("endedAt", "is", null)
    .execute();
}

function roleOf(text: string): Role {
  const role = roles.find((candidate) => candidate === text);
  if (role === undefined) throw new Error(`the database holds an unknown role ${text}`);
  return role;
}

let nobody: Promise<string> | undefined;
/** A hash to check against when there is no such person, so that the answer takes as long. */
function hashOfNobody(): Promise<string> {
  nobody ??= passwordHash("nobody signs in with this");
  return nobody;
}

/**
 * What those are called now who did something: display names of people, names and numbers of stations.
 * @param actors as they stand in events: `person:<id>`, `station:<id>`; others have no name.
 */
export async function namesOfActors(db: Database, actors: Iterable<string>): Promise<ReadonlyMap<string, string>> {
  const ids = (kind: string): string[] =>
    [...new Set(actors)].filter((actor) => actor.startsWith(`${kind}:`)).map((actor) => actor.slice(kind.length + 1));
  const [people, stations] = [ids("person"), ids("station")];
  const [persons, docks] = await Promise.all([
    people.length === 0
      ? []
      : db.selectFrom("person").select(["id", "displayName"]).where("id", "in", people).execute(),
    stations.length === 0
      ? []
      : db.selectFrom("station").select(["id", "name", "number"]).where("id", "in", stations).execute(),
  ]);
  return new Map([
    ...persons.map(({ id, displayName }) => [`person:${id}`, displayName] as const),
    ...docks.map(({ id, name, number }) => [`station:${id}`, `${name} ${number}`] as const),
  ]);
}
