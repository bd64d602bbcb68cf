/** What a person is here for: 办案人员, 监督人员, 审计人员, 管理员. */
export const roles = ["handler", "supervisor", "auditor", "administrator"] as const;
export type Role = (typeof roles)[number];

/** A docking station that showed its token. */
export interface StationActor {
  readonly type: "station";
  readonly id: string;
  readonly organizationId: string;
}

/** A person with a session that has not ended. */
export interface PersonActor {
  readonly type: "person";
  readonly id: string;
  readonly organizationId: string;
  readonly role: Role;
  readonly displayName: string;
  readonly sessionId: string;
  readonly csrfToken: string;
}

/** The machine itself: workers acting on what came in. */
export interface SystemActor {
  readonly type: "system";
  readonly id: string;
}

export type Actor = StationActor | PersonActor | SystemActor;

/** An actor as it stands in events and revisions: `person:<id>`, `station:<id>`, `system:<worker>`. Ids only, never names. */
export function actorName(actor: Pick<Actor, "type" | "id">): string {
  return `${actor.type}:${actor.id}`;
}
