/** Longest name of a file in a bag, in bytes of UTF-8: below the 255 of file systems, with room for what tools append. */
const longestBytes = 200;

/**
 * A file name that means the same on every system and in every manifest: NFC, no separators, control, format and
 * unassigned characters, nothing that Windows forbids, no leading dot or dash, at most 200 bytes. `%` goes as well, so that
 * no line of a manifest needs the percent-encoding of RFC 8493 §2.1.3, which `sha256sum -c` does not know.
 */
export function safeFileName(name: string): string {
  const replaced = name
    .normalize("NFC")
    .replace(/[\p{C}\p{Zl}\p{Zp}/\\%:*?"<>|]/gu, "_")
    .replace(/^[.\- ]/, "_")
    .replace(/[. ]$/, "_");
  // Device names of Windows, with or without an ending.
  const named = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(replaced) ? `_${replaced}` : replaced;
  return named === "" ? "_" : shortened(named);
}

/** Cuts in front of the ending, which programs go by, and never inside a character. */
function shortened(name: string): string {
  if (Buffer.byteLength(name) <= longestBytes) return name;
  const ending = /\.[A-Za-z0-9]{1,10}$/.exec(name)?.[0] ?? "";
  let stem = "";
  for (const character of name.slice(0, name.length - ending.length)) {
    if (Buffer.byteLength(stem + character + ending) > longestBytes) break;
    stem += character;
  }
  return stem + ending;
}
