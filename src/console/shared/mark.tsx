import type { ReactNode } from "react";

/** The product's sign: a shield with a tick. */
export function Mark(): ReactNode {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#1d4f91" />
      <path d="M16 5l9 3.4v7.2c0 5.6-3.7 9.7-9 11.4-5.3-1.7-9-5.8-9-11.4V8.4z" fill="#fff" />
      <path
        d="M11.5 15.8l3.3 3.3 6-6.3"
        fill="none"
        stroke="#1d4f91"
        strokeWidth="2.6"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
