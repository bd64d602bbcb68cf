import { Modal, type ModalProps } from "antd";
import { type ReactNode, useState } from "react";
import { isStill } from "../preferences.ts";

/**
 * What is asked over a page, for as long as it is mounted. Where nothing moves, the library makes what a dialog holds
 * before the dialog stands in the document, where no field can take the keyboard: it then comes a moment later.
 */
export function Dialog({ children, ...given }: Omit<ModalProps, "open" | "afterOpenChange">): ReactNode {
  const [stands, setStands] = useState(!isStill());
  return (
    <Modal {...given} open afterOpenChange={(open) => open && setStands(true)}>
      {stands && children}
    </Modal>
  );
}
