import type { Acknowledged, Fleet, Recording } from "./fault-station.ts";
import type { Answer, Pace, Sending } from "./paced-request.ts";

const piece = "application/offset+octet-stream";

/**
 * One recording on its way by tus 1.0: goes on where the server says that it is, however often it is cut. What the
 * server has acknowledged once it must hold for good: an offset that goes back, or an upload that is gone, is an error.
 */
export class ResumableSending {
  readonly #fleet: Fleet;
  readonly #recording: Recording;
  #path: string | undefined;
  #offset = 0;
  /** Something went wrong: where the upload is must be asked. */
  #unsure = false;
  /** How often it went on after a cut instead of beginning anew. */
  resumed = 0;

  constructor(fleet: Fleet, recording: Recording) {
    this.#fleet = fleet;
    this.#recording = recording;
  }

  /** Sends until it is taken, in pieces of at most that size. `pace` is asked for each piece. */
  push(pieceBytes: number, pace: () => Pace): Promise<Acknowledged> {
    return this.#fleet.untilTaken(async () => {
      for (;;) {
        const taken = await this.step(pieceBytes, pace);
        if (taken !== undefined || this.#unsure || this.#path === undefined) return taken;
      }
    });
  }

  /** The next request that is due; `pace` is asked if it is a piece. @returns the clip once the server has told of it. */
  async step(pieceBytes: number, pace: () => Pace): Promise<Acknowledged | undefined> {
    if (this.#path === undefined) return this.#begin();
    if (this.#unsure) return this.#ask();
    const { bytes } = this.#recording;
    if (this.#offset === bytes.length) return this.#complete(this.#path);
    const part = bytes.subarray(this.#offset, this.#offset + pieceBytes);
    const headers = { "content-type": piece, "upload-offset": this.#offset, "content-length": part.length };
    const answer = await this.#call(this.#path, { method: "PATCH", headers, bytes: part }, pace());
    if (answer.status !== 204) {
      this.#unsure = true;
      return undefined;
    }
    if (Number(answer.headers["upload-offset"]) !== this.#offset + part.length) {
      throw new Error(`${part.length} bytes from ${this.#offset}, then ${answer.headers["upload-offset"]}`);
    }
    this.#offset += part.length;
    return undefined;
  }

  /** Ends the upload for good. Who does not is cleaned up after by the server. */
  async giveUp(): Promise<void> {
    if (this.#path !== undefined) await this.#call(this.#path, { method: "DELETE", headers: {} });
  }

  async #begin(): Promise<undefined> {
    const { bytes, metadata } = this.#recording;
    const told = Buffer.from(JSON.stringify(metadata)).toString("base64");
    const headers = { "upload-length": bytes.length, "upload-metadata": `metadata ${told}` };
    const answer = await this.#call("/api/v1/uploads", { method: "POST", headers });
    if (answer.status === 201) this.#path = answer.headers.location;
  }

  async #ask(): Promise<undefined> {
    const answer = await this.#call(this.#path ?? "", { method: "HEAD", headers: {} });
    if (answer.status !== 200) return;
    const offset = Number(answer.headers["upload-offset"]);
    if (!(offset >= this.#offset)) throw new Error(`${this.#offset} bytes were acknowledged, now ${offset}`);
    if (offset === this.#recording.bytes.length && answer.headers["dockseal-clip"] === undefined) {
      throw new Error("an upload is told to be whole without a clip");
    }
    this.#offset = offset;
    this.#unsure = false;
    this.resumed += 1;
  }

  async #complete(path: string): Promise<Acknowledged | undefined> {
    const answer = await this.#call(`${path}/complete`, { method: "POST", headers: {} });
    if (answer.status === 200 || answer.status === 201) return this.#fleet.acknowledge(answer, this.#recording);
    this.#unsure = true;
    return undefined;
  }

  /** An answer that no fault explains is an error. HEAD has no body: its problem cannot be told from others. */
  async #call(path: string, sending: Sending, pace?: Pace): Promise<Answer> {
    const headers = { "tus-resumable": "1.0.0", ...sending.headers };
    const answer = await this.#fleet.call(path, { ...sending, headers }, pace);
    const { status, body } = answer;
    const explained =
      (status >= 200 && status < 300) ||
      [0, 408, 423, 503].includes(status) ||
      /\/problems\/(upload-aborted|upload-offset-differs)/.test(body);
    if (!explained) throw new Error(`unexpected answer ${status} to ${sending.method} ${path}: ${body}`);
    return answer;
  }
}
