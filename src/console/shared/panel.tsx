import { type ReactNode, useId } from "react";

/** A titled part of a page. */
export function Panel({
  title,
  extra,
  children,
  name,
}: {
  title: string;
  extra?: ReactNode;
  children: ReactNode;
  name: string;
}): ReactNode {
  const id = useId();
  return (
    <section className={`sheet panel ${name}`} aria-labelledby={id}>
      <div className="panel-head">
        <h2 id={id}>{title}</h2>
        {extra}
      </div>
      {children}
    </section>
  );
}
