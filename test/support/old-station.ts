import { type CurlAnswer, curl } from "./curl.ts";
import type { Stack } from "./stack.ts";

/** What the dialect answers with. */
export interface Told<T = unknown> {
  readonly code: number;
  readonly message: string;
  readonly body: T;
}

/** A docking station of the field, as its dialect is described: JSON, a key in the query string, no digests. */
export class OldStation {
  readonly #base: string;
  readonly number: string;
  readonly recorder = "37150000901510000007";
  readonly #key: string;
  readonly #headers: readonly string[];

  constructor(base: string, number: string, key: string, headers: readonly string[] = []) {
    this.#base = base;
    this.number = number;
    this.#key = key;
    this.#headers = headers.flatMap((line) => ["-H", line]);
  }

  /** The station of the stack's party, with a key that an administrator issued. */
  static async of(stack: Stack, key: string, options: { base?: string; headers?: string[] } = {}): Promise<OldStation> {
    const { number } = await stack.db
      .selectFrom("station")
      .select("number")
      .where("id", "=", stack.party.stationId)
      .executeTakeFirstOrThrow();
    return new OldStation(options.base ?? stack.url, number, key, options.headers);
  }

  /** A record of one file, with all fields that stations send. */
  record(sequence: number, sizeBytes: number, change: Record<string, unknown> = {}): Record<string, unknown> {
    const wjbh = `37150000_${this.recorder}20261121093000000020261121181500${String(sequence).padStart(4, "0")}`;
    return {
      ...{ wjbh, wjbm: `2026112109300${sequence}123.mp4`, pssj: "2026-11-21 09:30:00", scsj: "2026-11-21 18:15:00" },
      ...{ wjdx: sizeBytes, wjsc: "900", wjlx: "0", bzlx: "1", jgdm: "371500", dwmc: "某大队", jybh: "371501" },
      ...{ jy_xm: "某", cpxh: this.recorder, gzz_xh: this.number, ccwz: "\\Workstation\\1.mp4", wlwz: "D:\\1.mp4" },
      ...{ bfwz: "", ccfwq: "", sltxdwz: "", ...change },
    };
  }

  heartbeat(change: Record<string, unknown> = {}): Record<string, unknown> {
    return {
      ...{ gzz_xh: this.number, gzz_ipdz: "10.10.16.59", zxzt: "1", qizt: "1", cczrl: 4194304, syzrl: 512000 },
      ...{ cpu: 3, ram: 40, raid_zt: 101, bjlx: 0, version: "3.4.5", ...change },
    };
  }

  call(method: string, path: string, body?: unknown, ...more: string[]): Promise<CurlAnswer> {
    const json =
      body === undefined ? [] : ["-H", "content-type: application/json", "--data-binary", JSON.stringify(body)];
    return curl("-X", method, ...this.#headers, ...json, ...more, this.address(path));
  }

  /** The bytes of a file that was announced. */
  send(wjbh: string, file: string, ...more: string[]): Promise<CurlAnswer> {
    const type = ["-H", "content-type: application/octet-stream", "-H", "expect:"];
    return curl(
      "-X",
      "PUT",
      ...this.#headers,
      ...type,
      "--data-binary",
      `@${file}`,
      ...more,
      this.address(`/v3/file/${wjbh}`),
    );
  }

  /** Record and bytes in one form. */
  sendForm(record: unknown, file: string): Promise<CurlAnswer> {
    const form = ["-F", `fileinfo=${JSON.stringify(record)}`, "-F", `file=@${file}`];
    return curl(...this.#headers, ...form, this.address("/v3/fileinfo"));
  }

  address(path: string): string {
    return `${this.#base}${path}?domain=37150000&gzz_xh=${this.number}&authkey=${this.#key}`;
  }
}
