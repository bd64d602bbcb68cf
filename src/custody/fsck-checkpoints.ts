import type { Database, Tx } from "#db";
import { openCheckpoint, signedByThese } from "#evidence";
import type { SignedHead } from "./checkpoints.ts";
import { type Report, reportRefused } from "./finding.ts";

const checkpointsAtOnce = 1000;

/** Who may have signed. */
export interface Believed {
  readonly origin: string;
  readonly vkeys: readonly string[];
}

/**
 * The kept checkpoints, smallest first, each compared with the root that the entries make. All of them are roots of
 * beginnings of one tree then, which is what consistency means (RFC 6962 §2.1.2).
 */
export class CheckpointsInOrder {
  readonly #db: Database | Tx;
  readonly #believed: Believed;
  readonly #report: Report;
  #page: SignedHead[] = [];
  #after = 0;
  #ended = false;
  /** How many were looked at. */
  count = 0;

  constructor(db: Database | Tx, believed: Believed, report: Report) {
    this.#db = db;
    this.#believed = believed;
    this.#report = report;
  }

  /** Checks those of a size, and first those smaller ones that were left out because the tree never had that size. */
  async upTo(size: number, root: () => Buffer): Promise<void> {
    for (let head = await this.#next(); head !== undefined && head.size <= size; head = await this.#next()) {
      this.#page.shift();
      this.#check(head);
      if (head.size === size && root().equals(head.root)) continue;
      this.#differs(head, "its root is not the one that the entries make");
    }
  }

  /** Checks those that are beyond the last entry. */
  async rest(size: number): Promise<void> {
    for (let head = await this.#next(); head !== undefined; head = await this.#next()) {
      this.#page.shift();
      this.#check(head);
      this.#differs(head, `there are only ${size} entries, so nothing makes its root`);
    }
  }

  async #next(): Promise<SignedHead | undefined> {
    if (this.#page.length === 0 && !this.#ended) {
      this.#page = await this.#db
        .selectFrom("logCheckpoint")
        .select(["size", "root", "note"])
        .where("size", ">", this.#after)
        .orderBy("size")
        .limit(checkpointsAtOnce)
        .execute();
      this.#ended = this.#page.length < checkpointsAtOnce;
      this.#after = this.#page.at(-1)?.size ?? this.#after;
    }
    return this.#page[0];
  }

  #check(head: SignedHead): void {
    const { origin, vkeys } = this.#believed;
    this.count += 1;
    reportRefused(this.#report, "log-checkpoint", String(head.size), () => {
      const opened = openCheckpoint(head.note, vkeys, origin);
      if (opened.size !== head.size || !opened.root.equals(head.root)) {
        this.#differs(head, "size or root of the row are not those of the signed note");
      }
      if (signedByThese(head.note, vkeys) !== head.note) {
        this.#differs(head, "a signature is of no key of this log, or stands there twice");
      }
    });
  }

  #differs({ size }: SignedHead, detail: string): void {
    this.#report({ kind: "log-checkpoint", subject: String(size), detail });
  }
}
