import { Input } from "antd";
import { type ReactNode, useEffect, useRef, useState } from "react";

interface Given {
  readonly label: string;
  readonly hint: string;
  /** What is wrong with a text that does not have the form. */
  readonly wrong: string;
  readonly form: RegExp;
  readonly value: string | undefined;
  readonly onChange: (value: string | undefined) => void;
  readonly className?: string;
  readonly search?: boolean;
}

/** A pause in typing that means: that is it. */
const pauseMs = 350;

/** A text that filters as soon as somebody pauses or presses enter, and it has the form that it must have. */
export function FilterInput({ label, hint, wrong, form, value, onChange, className, search }: Given): ReactNode {
  const [text, setText] = useState(value ?? "");
  const told = useRef(value);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  // When the pause is over, another filter may have been set since the last letter.
  const whenChanged = useRef(onChange);
  whenChanged.current = onChange;
  useEffect(() => {
    // Changed elsewhere: by a chip, or by going back.
    if (value !== told.current) setText(value ?? "");
    told.current = value;
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const typed = text.trim();
  const bad = typed !== "" && !form.test(typed);
  const tell = (next: string): void => {
    clearTimeout(timer.current);
    const wanted = next === "" ? undefined : next;
    if (wanted === told.current || (wanted !== undefined && !form.test(wanted))) return;
    told.current = wanted;
    whenChanged.current(wanted);
  };
  return (
    <Input
      type={search === true ? "search" : "text"}
      className={className}
      aria-label={label}
      placeholder={hint}
      allowClear
      value={text}
      status={bad ? "error" : ""}
      title={bad ? wrong : ""}
      maxLength={100}
      onChange={({ target }) => {
        const next = target.value;
        setText(next);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => tell(next.trim()), pauseMs);
      }}
      onPressEnter={() => tell(typed)}
    />
  );
}
