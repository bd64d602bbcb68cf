import type { ReactNode } from "react";
import { Link } from "wouter";

export interface Figure {
  readonly name: string;
  readonly value: ReactNode;
  /** What it means, or what is beside it. */
  readonly hint?: ReactNode;
  /** The list that the figure counts. */
  readonly path?: string;
  readonly tone?: "good" | "bad" | "open";
}

const inThousands = new Intl.NumberFormat("en-US");
export const numberText = (value: number): string => inThousands.format(value);

/** A row of figures; each that counts a list leads there. */
export function Figures({ figures, label }: { figures: readonly Figure[]; label: string }): ReactNode {
  return (
    <section className="figures" aria-label={label}>
      {figures.map(({ name, value, hint, path, tone }) => {
        const inside = (
          <>
            <span className="figure-name">{name}</span>
            <b className={`figure-value ${tone ?? ""}`}>{value}</b>
            {hint !== undefined && <span className="quiet figure-hint">{hint}</span>}
          </>
        );
        return path === undefined ? (
          <div key={name} className="sheet figure">
            {inside}
          </div>
        ) : (
          <Link key={name} href={path} className="sheet figure">
            {inside}
          </Link>
        );
      })}
    </section>
  );
}
