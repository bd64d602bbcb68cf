import { decodeUtf8 } from "#evidence";
import type { BagFiles } from "./bag-files.ts";
import { CheckGroups } from "./check-groups.ts";
import { type CheckList, failed, needed } from "./check-list.ts";

// BagIt 1.0 (RFC 8493), in the one form that dockseal writes; sm3-digests.txt is a tag file of the same form.

const DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
const PAYLOAD = "data/";

/** Not listed anywhere: the tag manifests, and what is made over them afterwards. */
const UNLISTED: ReadonlySet<string> = new Set([
  "tagmanifest-sha256.txt",
  "tagmanifest-sha512.txt",
  "signature/tagmanifest-sha256.txt.p7s",
  "signature/tagmanifest-sha256.txt.tst",
]);

const isPayload = (path: string): boolean => path.startsWith(PAYLOAD);
const isTag = (path: string): boolean => !isPayload(path) && !UNLISTED.has(path);

/** Structure and completeness of the bag, and every digest. */
export async function checkManifests(list: CheckList, files: BagFiles): Promise<void> {
  const declaration = await files.read("bagit.txt");
  list.make("bag-declaration", "BagIt 1.0", () => {
    if (declaration().toString("latin1") !== DECLARATION) throw failed("bagit.txt does not declare BagIt 1.0 in UTF-8");
  });
  checkPaths(list, files);
  const info = await files.read("bag-info.txt");
  list.make("payload-oxum", "as many files and bytes as were packed", () => {
    const payload = files.all(PAYLOAD);
    const bytes = payload.reduce((sum, [, { sizeBytes }]) => sum + sizeBytes, 0);
    const expected = payloadOxum(decodeUtf8(info(), "bag-info.txt"));
    const found = `${bytes}.${payload.length}`;
    if (found !== expected) throw failed(`${found} instead of ${expected}`);
  });
  await checkManifest(list, files, { manifest: "manifest-sha256.txt", digest: "sha256", covers: isPayload });
  await checkManifest(list, files, { manifest: "manifest-sha512.txt", digest: "sha512", covers: isPayload });
  await checkManifest(list, files, { manifest: "sm3-digests.txt", digest: "sm3", covers: isPayload });
  await checkManifest(list, files, { manifest: "tagmanifest-sha256.txt", digest: "sha256", covers: isTag });
  await checkManifest(list, files, { manifest: "tagmanifest-sha512.txt", digest: "sha512", covers: isTag });
}

/** No file may be another one on another system, or lie outside of the bag (RFC 8493 §5.1, §6). */
function checkPaths(list: CheckList, files: BagFiles): void {
  const groups = new CheckGroups();
  const seen = new Map<string, string>();
  for (const [path] of files.all()) {
    groups.make("paths", "a name that means the same everywhere", path, () => {
      if (!isSafe(path)) throw failed("not a path that a bag may hold");
      const folded = path.normalize("NFC").toLowerCase();
      const other = seen.get(folded);
      seen.set(folded, path);
      if (other !== undefined) throw failed(`the same file as ${other} on systems that do not tell case`);
    });
  }
  for (const path of files.others) {
    groups.make("paths", "", path, () => {
      throw failed("a link or something else that is no file");
    });
  }
  groups.into(list);
}

function isSafe(path: string): boolean {
  const parts = path.split("/");
  return !/[\\\p{Cc}]/u.test(path) && !parts.some((part) => part === "" || part === "." || part === "..");
}

/** RFC 8493 §2.2.2: bytes and number of files. */
function payloadOxum(info: string): string {
  const lines = [...info.matchAll(/^Payload-Oxum: (\d+\.\d+)$/gm)].map(([, value = ""]) => value);
  const [value] = lines;
  if (value === undefined || lines.length > 1) throw failed("bag-info.txt does not say it once");
  return value;
}

interface Manifest {
  readonly manifest: string;
  readonly digest: "sha256" | "sha512" | "sm3";
  /** Which files of the bag it has to list. */
  readonly covers: (path: string) => boolean;
}

async function checkManifest(list: CheckList, files: BagFiles, { manifest, digest, covers }: Manifest): Promise<void> {
  const name = manifest.replace(/\.txt$/, "");
  const bytes = await files.read(manifest);
  const listed = list.make(`${name}-format`, "well formed", () =>
    parseManifest(decodeUtf8(bytes(), manifest), digest === "sha512" ? 128 : 64),
  );
  const groups = new CheckGroups();
  for (const [path, facts] of files.all().filter(([path]) => covers(path))) {
    groups.make(name, "listed, with its digest", path, () => {
      const expected = needed(listed).get(path);
      if (expected === undefined) throw failed("in the bag, but not listed");
      const found = facts[digest];
      if (found !== expected) throw failed(`${found} instead of ${expected}`);
    });
  }
  for (const path of listed?.keys() ?? []) {
    if (files.factsOf(path) !== undefined && covers(path)) continue;
    groups.make(name, "", path, () => {
      throw failed(covers(path) ? "listed, but not in the bag" : "does not belong into this list");
    });
  }
  groups.into(list);
}

/** Lines as `sha256sum` writes them; CR, LF and % of a name are percent-encoded (RFC 8493 §2.1.3). */
function parseManifest(text: string, digits: number): ReadonlyMap<string, string> {
  if (!text.endsWith("\n")) throw failed("does not end in a newline");
  const listed = new Map<string, string>();
  for (const line of text.slice(0, -1).split("\n")) {
    const [, digest, encoded] = /^([0-9a-f]+) {2}(\S.*)$/u.exec(line) ?? [];
    if (digest?.length !== digits || encoded === undefined) throw failed(`a line is not of its form: ${line}`);
    const path = encoded.replace(/%(0D|0A|25)/gi, (code) => decodeURIComponent(code));
    if (!isSafe(path)) throw failed(`a path that a bag may not hold: ${line}`);
    if (listed.has(path)) throw failed(`the same file twice: ${path}`);
    listed.set(path, digest);
  }
  return listed;
}
