// Readers of single variables: each gives the value, or throws an Error whose message completes the sentence "NAME …".

export function integer(minimum: number, maximum = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < minimum || value > maximum) {
      throw new Error(`must be a whole number from ${minimum} to ${maximum}, got ${JSON.stringify(text)}`);
    }
    return value;
  };
}

export function oneOf<const T extends string>(...allowed: T[]) {
  return (text: string): T => {
    const found = allowed.find((value) => value === text);
    if (found === undefined) throw new Error(`must be one of ${allowed.join(", ")}, got ${JSON.stringify(text)}`);
    return found;
  };
}

/** A URL with one of the schemes. The message never repeats the value: it may hold a password. */
export function url(...schemes: string[]) {
  return (text: string): string => {
    const parsed = URL.canParse(text) ? new URL(text) : undefined;
    if (parsed === undefined || !schemes.includes(parsed.protocol.replace(/:$/, ""))) {
      throw new Error(`must be a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(" or ")}`);
    }
    return text;
  };
}

/** One or more of them, comma separated. */
export function urls(...schemes: string[]) {
  return (text: string): readonly string[] => text.split(",").map((part) => url(...schemes)(part.trim()));
}

/** Dotted decimal, as X.660 has it: the first arc is 0 to 2, the second below 40 under 0 and 1. */
export function objectIdentifier(value: string): string {
  if (!/^(?:[01]\.(?:\d|[1-3]\d)|2\.(?:0|[1-9]\d*))(?:\.(?:0|[1-9]\d*))*$/.test(value)) {
    throw new Error(`must be an object identifier such as 1.2.3.4.1, got ${JSON.stringify(value)}`);
  }
  return value;
}

export function text(value: string): string {
  if (value.trim() === "") throw new Error("must not be empty");
  return value;
}

export function addresses(value: string): string[] {
  const list = value.split(",").map((part) => part.trim());
  const bad = list.filter((part) => !/^[0-9a-fA-F.:]+(\/\d{1,3})?$/.test(part));
  if (bad.length > 0) throw new Error(`must be a list of addresses or networks, not ${bad.join(", ")}`);
  return list;
}

/** RFC 6962-style log name without blanks or plus signs, as C2SP signed-note wants it for a key name. */
export function origin(value: string): string {
  if (!/^[^\s+]{1,200}$/u.test(value)) throw new Error("must be 1 to 200 characters without blanks and plus signs");
  return value;
}
