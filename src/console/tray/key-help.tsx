import { Fragment, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Dialog } from "../shared/dialog.tsx";

const keys = [
  [["J", "K", "↓", "↑"], "move"],
  [["X"], "toggle"],
  [["Shift", "J", "K", "↓", "↑"], "extend"],
  [["A"], "all"],
  [["Esc"], "none"],
  [["B", "Enter"], "bind"],
  [["O"], "open"],
  [["Ctrl", "Enter"], "submit"],
  [["?"], "help"],
] as const;

export function KeyHelp({ onClose }: { onClose: () => void }): ReactNode {
  const { t } = useTranslation();
  return (
    <Dialog title={t("tray.keys")} footer={null} width={440} onCancel={onClose}>
      <dl className="facts key-help">
        {keys.map(([names, does]) => (
          <Fragment key={does}>
            <dt>
              {names.map((name) => (
                <kbd key={name}>{name}</kbd>
              ))}
              {does === "toggle" && <kbd>{t("tray.space")}</kbd>}
            </dt>
            <dd>{t(`tray.help.${does}`)}</dd>
          </Fragment>
        ))}
      </dl>
    </Dialog>
  );
}
