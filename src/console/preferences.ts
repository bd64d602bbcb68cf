// What this browser remembers of the person's wishes. Never anything of a recording.

export type Language = "zh-CN" | "en";
export type Shade = "light" | "dark";

const names = { language: "dockseal.language", shade: "dockseal.shade", signedIn: "dockseal.signed-in" } as const;

/** Chinese, unless English was chosen here. */
export function chosenLanguage(): Language {
  return read(names.language) === "en" ? "en" : "zh-CN";
}
export function chooseLanguage(language: Language): void {
  write(names.language, language);
}

/** What was chosen, else what the computer is set to. */
export function chosenShade(): Shade {
  const shade = read(names.shade);
  if (shade === "light" || shade === "dark") return shade;
  return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}
export function chooseShade(shade: Shade): void {
  write(names.shade, shade);
}

/** Whether the computer is set to show less motion: dialogs and lists then stand where they belong at once. */
export function isStill(): boolean {
  return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Whether somebody signed in with this browser: only then is the server asked who it is. */
export function mayBeSignedIn(): boolean {
  return read(names.signedIn) === "yes";
}
export function rememberSignedIn(yes: boolean): void {
  write(names.signedIn, yes ? "yes" : undefined);
}
/** Signing out in one window signs out in all. */
export function onSignedOutElsewhere(callback: () => void): void {
  window.addEventListener("storage", ({ key, newValue }) => {
    if (key === names.signedIn && newValue === null) callback();
  });
}

function read(name: string): string | undefined {
  return window.localStorage.getItem(name) ?? undefined;
}

function write(name: string, value: string | undefined): void {
  if (value === undefined) window.localStorage.removeItem(name);
  else window.localStorage.setItem(name, value);
}
