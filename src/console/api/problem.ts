/** What the API refused (RFC 9457); every member but `status` may be missing when something between us and it answered. */
export class Problem extends Error {
  readonly status: number;
  /** The last part of `type`, e.g. `sign-in-failed`. */
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly advice: string;
  readonly requestId: string;
  /** Of a clip that is bound already: the case that it is bound to. */
  readonly caseId: string;

  constructor(status: number, document: unknown) {
    const text = (name: string): string => {
      const value = (document as Record<string, unknown> | null | undefined)?.[name];
      return typeof value === "string" ? value : "";
    };
    super(text("title") || `HTTP ${status}`);
    this.status = status;
    this.code = text("type").replace(/^\/problems\//, "");
    this.title = this.message;
    this.detail = text("detail");
    this.advice = text("advice");
    this.requestId = text("requestId");
    this.caseId = text("caseId");
  }
}

/** The server cannot be reached. */
export class NoAnswer extends Error {
  constructor(cause: unknown) {
    super("no answer", { cause });
  }
}
