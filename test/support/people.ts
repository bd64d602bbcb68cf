import type { Role } from "#identity";
import { PersonClient } from "../../src/cli/person-client.ts";
import type { Stack, TestParty } from "./stack.ts";

export function signIn(stack: Stack, role: Role, party: TestParty = stack.party): Promise<PersonClient> {
  const person = party.people[role];
  return PersonClient.signIn(stack.url, person.name, person.password);
}
