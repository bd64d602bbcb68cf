import { fileURLToPath } from "node:url";
import { DocksealError } from "#kernel";

export interface Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface S3Target extends Credentials {
  readonly kind: "s3";
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly region: string;
  readonly bucket: string;
}

export interface FilesystemTarget {
  readonly kind: "filesystem";
  readonly directory: string;
  /** Whether locked files get the immutable flag where the system allows it. */
  readonly immutable: boolean;
}

/**
 * `s3://ACCESS:SECRET@host:port/bucket?tls=0|1&region=…` (the keys percent-encoded, or passed apart) or
 * `file:///directory?immutable=0|1`.
 * @throws DocksealError `configuration-invalid`; its detail never repeats a secret.
 */
export function parseStoreUrl(url: string, credentials?: Credentials): S3Target | FilesystemTarget {
  if (!URL.canParse(url)) throw invalid("it is not a URL");
  const parsed = new URL(url);
  if (parsed.protocol === "s3:") return s3Target(parsed, credentials);
  if (parsed.protocol === "file:") return filesystemTarget(parsed);
  throw invalid(`its scheme is ${parsed.protocol.slice(0, -1)}, not s3 or file`);
}

function s3Target(url: URL, credentials: Credentials | undefined): S3Target {
  const query = readQuery(url, ["tls", "region"]);
  const accessKey = credentials?.accessKey ?? decode(url.username);
  const secretKey = credentials?.secretKey ?? decode(url.password);
  if (accessKey === "" || secretKey === "")
    throw invalid("access key and secret key are missing: s3://ACCESS:SECRET@…");
  if (url.hostname === "") throw invalid("the host is missing");
  const bucket = url.pathname.slice(1);
  // Amazon S3 bucket naming rules; dots are left out because they break TLS certificates of virtual hosts.
  if (!/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(bucket)) {
    throw invalid("the path must be one bucket of 3 to 63 of a-z, 0-9 and -: s3://…@host:port/bucket");
  }
  const region = query.get("region") ?? "us-east-1";
  if (!/^[a-z0-9-]+$/.test(region)) throw invalid("region may hold a-z, 0-9 and - only");
  const tls = readSwitch(query, "tls", true);
  const port = url.port === "" ? (tls ? 443 : 80) : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, ""); // an IPv6 address
  return { kind: "s3", host, port, tls, region, bucket, accessKey, secretKey };
}

function filesystemTarget(url: URL): FilesystemTarget {
  const query = readQuery(url, ["immutable"]);
  if (url.hostname !== "") throw invalid("a directory is written with three slashes: file:///directory");
  const directory = fileURLToPath(new URL(url.pathname, "file:///"));
  if (directory === "/") throw invalid("the directory must not be the root of the machine");
  return { kind: "filesystem", directory, immutable: readSwitch(query, "immutable", true) };
}

function readQuery(url: URL, known: readonly string[]): URLSearchParams {
  for (const name of url.searchParams.keys()) {
    if (!known.includes(name)) throw invalid(`unknown parameter ${name}; known are ${known.join(", ")}`);
  }
  if (url.hash !== "") throw invalid("it has a # part");
  return url.searchParams;
}

function readSwitch(query: URLSearchParams, name: string, fallback: boolean): boolean {
  const value = query.get(name);
  if (value === null) return fallback;
  if (value !== "0" && value !== "1") throw invalid(`${name} must be 0 or 1`);
  return value === "1";
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new DocksealError("configuration-invalid", {
      detail: "the store URL is invalid: access key or secret key is not percent-encoded correctly",
      cause,
    });
  }
}

function invalid(why: string): DocksealError {
  return new DocksealError("configuration-invalid", { detail: `the store URL is invalid: ${why}` });
}
