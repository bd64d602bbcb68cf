import { QueryClient, useQuery } from "@tanstack/react-query";
import { api, asked, onSignedOut, setCsrfToken } from "./api/client.ts";
import { Problem } from "./api/problem.ts";
import type { Session } from "./api/types.ts";
import { mayBeSignedIn, onSignedOutElsewhere, rememberSignedIn } from "./preferences.ts";

const key = ["session"] as const;

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What the server refused it refuses again.
      retry: (tries, error) => !(error instanceof Problem && error.status < 500) && tries < 2,
    },
  },
});

/** The sign-in page comes; {@link forgetAll} follows when it is there. */
function forget(): void {
  rememberSignedIn(false);
  setCsrfToken("");
  queries.setQueryData<Session | null>(key, null);
}

/** Nothing of what the last person saw stays in memory. Only when nothing of it is shown any more: it would be asked for again. */
export function forgetAll(): void {
  queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== key[0] });
}
onSignedOut(forget);
onSignedOutElsewhere(forget);

/** Who is signed in: null when nobody is, undefined until that is known. */
export function useSession(): { session: Session | null | undefined; error: Error | null } {
  const { data, error } = useQuery({ queryKey: key, queryFn: whoAmI, staleTime: Number.POSITIVE_INFINITY });
  return { session: data, error };
}

/** For what is only shown to somebody who is signed in. */
export function useSignedIn(): Session {
  const { session } = useSession();
  if (session === null || session === undefined) throw new Error("nobody is signed in");
  return session;
}

/** Who binds clips, opens cases and corrects what was said of them. */
export function mayBind(role: Session["role"]): boolean {
  return role === "handler" || role === "administrator";
}

async function whoAmI(): Promise<Session | null> {
  if (!mayBeSignedIn()) return null;
  try {
    const session = await asked(api.GET("/api/v1/session"));
    setCsrfToken(session.csrfToken);
    return session;
  } catch (error) {
    if (error instanceof Problem && error.status === 401) {
      rememberSignedIn(false);
      return null;
    }
    throw error;
  }
}

/** @throws Problem `sign-in-failed`, `too-many-requests`. */
export async function signIn(name: string, password: string): Promise<void> {
  const session = await asked(api.POST("/api/v1/session", { body: { name, password } }));
  setCsrfToken(session.csrfToken);
  rememberSignedIn(true);
  queries.setQueryData<Session | null>(key, session);
}

/** Ends the session on the server, and forgets everything here. @throws when the server could not be told. */
export async function signOut(): Promise<void> {
  try {
    await asked(api.DELETE("/api/v1/session"));
  } catch (error) {
    // It had ended already.
    if (!(error instanceof Problem && error.status === 401)) throw error;
  }
  forget();
}
