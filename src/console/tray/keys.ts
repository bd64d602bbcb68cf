import { useEffect, useRef } from "react";

export interface TrayKeys {
  readonly onMove: (by: number, extend: boolean) => void;
  readonly onToggle: () => void;
  readonly onAll: () => void;
  readonly onNone: () => void;
  readonly onBind: () => void;
  readonly onOpen: () => void;
  readonly onHelp: () => void;
}

/** Far more than any list is long. */
const toTheEnd = 1e9;

/** Keys that work wherever on the page one is, unless one types, or is on something that takes the key itself. */
export function useTrayKeys(active: boolean, keys: TrayKeys): void {
  const current = useRef(keys);
  current.current = keys;
  useEffect(() => {
    if (!active) return;
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
      const target = event.target instanceof Element ? event.target : document.body;
      if (target.closest("input:not([type=checkbox]), textarea, select, [role=combobox], [role=dialog]") !== null)
        return;
      const pressesIt = event.key === "Enter" || event.key === " ";
      if (pressesIt && target.closest("a, button, summary, input") !== null) return;
      if (act(event, current.current)) event.preventDefault();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [active]);
}

/** @returns whether the key means something here. */
function act({ key, shiftKey }: KeyboardEvent, keys: TrayKeys): boolean {
  switch (key.length === 1 ? key.toLowerCase() : key) {
    case "j":
    case "ArrowDown":
      keys.onMove(1, shiftKey);
      return true;
    case "k":
    case "ArrowUp":
      keys.onMove(-1, shiftKey);
      return true;
    case "PageDown":
      keys.onMove(8, shiftKey);
      return true;
    case "PageUp":
      keys.onMove(-8, shiftKey);
      return true;
    case "Home":
      keys.onMove(-toTheEnd, shiftKey);
      return true;
    case "End":
      keys.onMove(toTheEnd, shiftKey);
      return true;
    case " ":
    case "x":
      keys.onToggle();
      return true;
    case "a":
      keys.onAll();
      return true;
    case "Escape":
      keys.onNone();
      return true;
    case "Enter":
    case "b":
      keys.onBind();
      return true;
    case "o":
      keys.onOpen();
      return true;
    case "?":
      keys.onHelp();
      return true;
    default:
      return false;
  }
}
