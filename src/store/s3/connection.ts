import http from "node:http";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "minio";
import { signV4 } from "minio/dist/esm/signing.mjs";
import type { S3Target } from "../store-url.ts";
import { asProblem, isPassing, NoAnswerError, readAnswerError } from "./answers.ts";

/** How long things may take, in milliseconds. The client library itself waits for ever. */
export interface S3Timeouts {
  /** One attempt of a control call, or the head of a GET. */
  readonly controlMs: number;
  /** A stream that wants to move and does not: no byte taken or given, no answer after the last one. */
  readonly stallMs: number;
  /** One attempt of a part that is held in memory. */
  readonly partMs: number;
  /** Completion of a multipart upload; a large one takes minutes on some stores. */
  readonly completeMs: number;
  /** A source that gives no byte. */
  readonly sourceIdleMs: number;
  /** Everything that is tried to remove what a failed put left. */
  readonly cleanUpMs: number;
}

export interface ControlOptions {
  readonly signal?: AbortSignal;
  /** Tries in all; 1 for a call that must not be made twice. Default 4. */
  readonly attempts?: number;
  /** Of one attempt; default `controlMs`. */
  readonly timeoutMs?: number;
}

const SLOWEST_RETRY_MS = 2000;

/** The way to one bucket: signed calls with our own time-outs and retries, and bare requests for bodies. */
export class S3Connection {
  readonly target: S3Target;
  readonly timeouts: S3Timeouts;
  readonly #transport: typeof http | typeof https;
  readonly #agent: http.Agent;
  readonly #closed = new AbortController();

  constructor(target: S3Target, timeouts: S3Timeouts) {
    this.target = target;
    this.timeouts = timeouts;
    this.#transport = target.tls ? https : http;
    // Sockets kept for less than the 65 s after which radosgw closes them.
    this.#agent = new this.#transport.Agent({ keepAlive: true, maxSockets: 256, maxFreeSockets: 32, timeout: 30_000 });
  }

  get bucket(): string {
    return this.target.bucket;
  }

  close(): void {
    this.#closed.abort(new NoAnswerError("the store was closed"));
    this.#agent.destroy();
  }

  /**
   * Makes one call through the client library, again with jitter where the fault may pass.
   * The time-out covers `work`; a response that `work` gives out goes on without it.
   * @throws what the call failed with ({@link asProblem} words it), or the signal's reason.
   */
  async call<T>(work: (client: Client) => Promise<T>, options: ControlOptions = {}): Promise<T> {
    const { signal, attempts = 4, timeoutMs = this.timeouts.controlMs } = options;
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      try {
        return await this.#once(work, signal, timeoutMs);
      } catch (error) {
        signal?.throwIfAborted();
        if (attempt >= attempts || this.#closed.signal.aborted || !isPassing(error)) throw error;
        await sleep(Math.random() * Math.min(SLOWEST_RETRY_MS, 100 * 2 ** attempt), undefined, { signal });
      }
    }
  }

  /** {@link call} with the fault worded as a problem for the caller. */
  async control<T>(operation: string, work: (client: Client) => Promise<T>, options?: ControlOptions): Promise<T> {
    try {
      return await this.call(work, options);
    } catch (error) {
      if (options?.signal?.aborted) throw options.signal.reason;
      throw asProblem(operation, error);
    }
  }

  /**
   * Starts one signed PUT of an object on a connection of its own: a kept socket that the server has meanwhile closed
   * would fail an upload whose bytes cannot be had again.
   * The client library signs headers only in its own calls, so its signature function is used. The payload is not part
   * of the signature (it is not known yet); the other headers are, `x-amz-checksum-sha256` among them.
   */
  startPut(key: string, headers: Readonly<Record<string, string>>): http.ClientRequest {
    const { host, port, accessKey, secretKey, region, tls } = this.target;
    const date = new Date();
    const signed: Record<string, string> = {
      ...headers,
      host: hostHeader(this.target),
      "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
      "x-amz-date": `${date.toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`,
    };
    // Path style, and nothing to escape: keys and bucket names are of [a-z0-9/._-].
    const request = {
      protocol: tls ? "https:" : "http:",
      host,
      port,
      method: "PUT",
      path: `/${this.bucket}/${key}`,
      headers: signed,
    };
    signed["authorization"] = signV4(request, accessKey, secretKey, region, date, "UNSIGNED-PAYLOAD");
    return this.#transport.request({ ...request, agent: false });
  }

  async #once<T>(work: (client: Client) => Promise<T>, signal: AbortSignal | undefined, timeoutMs: number): Promise<T> {
    const end = new AbortController();
    const ended = Promise.withResolvers<never>();
    const stop = (reason: unknown) => {
      end.abort(reason);
      ended.reject(reason);
    };
    const onAbort = () => stop(signal?.reason);
    const onClose = () => stop(this.#closed.signal.reason);
    const timer = setTimeout(() => stop(new NoAnswerError(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#closed.signal.addEventListener("abort", onClose, { once: true });
    try {
      if (this.#closed.signal.aborted) throw this.#closed.signal.reason;
      return await Promise.race([work(this.#client(end.signal)), ended.promise]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      this.#closed.signal.removeEventListener("abort", onClose);
    }
  }

  /** A client for one attempt: the library has no signal of its own, so each attempt gets a transport that has one. */
  #client(signal: AbortSignal): Client {
    const { host, port, tls, region, accessKey, secretKey } = this.target;
    const client = new Client({
      endPoint: host,
      port,
      useSSL: tls,
      region,
      accessKey,
      secretKey,
      transport: { request: (...args: unknown[]) => this.#request(signal, args) },
      // The library retries without the code of the error and warns on the console; the retries here do neither.
      retryOptions: { disableRetry: true },
    });
    // Parts and documents are held in memory: sign their digest over TLS too, so that the store checks it.
    client.enableSHA256 = true;
    return client;
  }

  /** `http.request` as the client library calls it, except that an answer of 300 and above becomes its error. */
  #request(signal: AbortSignal, args: unknown[]): http.ClientRequest {
    const [options, onResponse] = args as [https.RequestOptions, (response: http.IncomingMessage) => void];
    const request = this.#transport.request({ ...options, agent: this.#agent, signal }, (response) => {
      if ((response.statusCode ?? 0) < 300) onResponse(response);
      else void readAnswerError(response).then((error) => request.emit("error", error));
    });
    return request;
  }
}

function hostHeader({ host, port, tls }: S3Target): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return port === (tls ? 443 : 80) ? name : `${name}:${port}`;
}
