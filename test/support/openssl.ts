import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A folder with files, and openssl in it. */
export class OpensslBench {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  put(name: string, content: string | Uint8Array): Promise<void> {
    return writeFile(join(this.dir, name), content);
  }

  get(name: string): Promise<Buffer> {
    return readFile(join(this.dir, name));
  }

  /** @returns what it printed. Rejects when it exits with an error. */
  async openssl(command: string): Promise<string> {
    const { stdout, stderr } = await run("openssl", command.split(" "), { cwd: this.dir });
    return stdout + stderr;
  }

  /** Does `openssl cms -verify` print its words of success? Anything but that and its word of failure is thrown. */
  async cmsAccepts(options: string): Promise<boolean> {
    const command = `cms -verify -binary -inform DER ${options} -out /dev/null`;
    try {
      return (await this.openssl(command)).includes("Verification successful");
    } catch (error) {
      const printed = error instanceof Error && "stderr" in error ? String(error.stderr) : "";
      if (/Verification failure|Error reading|asn1/i.test(printed)) return false;
      throw error;
    }
  }
}
