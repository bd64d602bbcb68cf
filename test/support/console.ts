import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import type { Test } from "tap";
import { watchedPage } from "./browser.ts";
import { signIn } from "./people.ts";
import type { Stack } from "./stack.ts";
import { until } from "./until.ts";

// What the tests of the console have in common.

export interface Visit {
  readonly page: Page;
  /** What the browser complained about so far; the complaints before are forgotten. */
  readonly complaints: () => string[];
}

/**
 * A browser of one person's; at the end nothing may have left the origin, and nothing been complained about. The person
 * wants no motion, if nothing else is said: a dialog stands at its place for some frames before it begins to grow, and a
 * click that is pressed before that and released after it is none.
 */
export async function visitOf(
  t: Test,
  browser: Browser,
  url: string,
  use: (visit: Visit) => Promise<void>,
  options: BrowserContextOptions = {},
): Promise<void> {
  const { page, requests, complaints } = await watchedPage(browser, {
    offline: false,
    viewport: { width: 1366, height: 768 },
    reducedMotion: "reduce",
    ...options,
  });
  page.setDefaultTimeout(90_000);
  await use({ page, complaints: () => complaints.splice(0) });
  t.same(
    requests.filter((address) => new URL(address).origin !== url),
    [],
    "no request leaves the origin",
  );
  t.same(complaints, [], "the browser complains about nothing");
  await page.context().close();
}

/** The labels of name and password, and the button. antd puts a space between two Chinese letters of a button. */
export const inChinese: SignInWords = ["用户名", "密码", /^登 ?录$/];
export const inEnglish: SignInWords = ["Name", "Password", /^Sign in$/];
type SignInWords = readonly [string, string, RegExp];

/** Fills in the form that is shown. */
export async function signInAs(
  page: Page,
  person: { readonly name: string; readonly password: string },
  [name, password, submit]: SignInWords = inChinese,
): Promise<void> {
  await page.getByLabel(name, { exact: true }).fill(person.name);
  await page.getByLabel(password, { exact: true }).fill(person.password);
  await page.getByRole("button", { name: submit }).click();
}

/** Until a clip is sealed and no step of its work waits. */
export async function untilDone(stack: Stack, id: string): Promise<void> {
  const handler = await signIn(stack, "handler");
  await until(
    "the clip is sealed and examined",
    async () => {
      const clip = await handler.get<{ state: string; pending: unknown[] }>(`/api/v1/clips/${id}`);
      return clip.state === "sealed" && clip.pending.length === 0;
    },
    { everyMs: 250 },
  );
}
