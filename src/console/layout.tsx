import { FolderOpenOutlined, HomeOutlined, InboxOutlined, LogoutOutlined, PlaySquareOutlined } from "@ant-design/icons";
import { App as AntApp, Badge, Button, Spin } from "antd";
import { type ReactNode, useState } from "react";
import { flushSync } from "react-dom";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "wouter";
import type { Session } from "./api/types.ts";
import type { Wishes } from "./app.tsx";
import { useLive } from "./live.ts";
import { signOut } from "./session.ts";
import { Mark } from "./shared/mark.tsx";
import { ProblemNotice } from "./shared/problem-notice.tsx";
import { useOverview } from "./shared/use-overview.ts";
import { WishesButtons } from "./shared/wishes-buttons.tsx";

interface Given {
  readonly session: Session;
  readonly wishes: Wishes;
  readonly children: ReactNode;
}

/** Head and navigation, the same on every page. */
export function Layout({ session, wishes, children }: Given): ReactNode {
  const { t } = useTranslation();
  const { modal } = AntApp.useApp();
  const [location, go] = useLocation();
  const [leaving, setLeaving] = useState(false);
  useLive(!leaving);
  const leave = async (): Promise<void> => {
    // Nothing is asked for any more, and what is under way is given up: it would be answered 401.
    flushSync(() => setLeaving(true));
    window.stop();
    try {
      await signOut();
      go("/sign-in");
    } catch (error) {
      setLeaving(false);
      // Still signed in: whoever walks away must know.
      modal.error({ content: <ProblemNotice error={error instanceof Error ? error : new Error(String(error))} /> });
    }
  };
  if (leaving) return <Spin className="waiting" />;
  const entry = (path: "/" | "/tray" | "/clips" | "/cases", icon: ReactNode, name: ReactNode): ReactNode => {
    const here = location === path || (path !== "/" && location.startsWith(`${path}/`));
    return (
      <Link href={path} className={here ? "here" : ""} aria-current={here ? "page" : undefined}>
        {icon} {name}
      </Link>
    );
  };
  return (
    <div className="frame">
      <a className="skip" href="#content">
        {t("nav.skip")}
      </a>
      <header className="head">
        <span className="brand">
          <Mark />
          {t("productShort")}
        </span>
        <nav aria-label={t("nav.label")}>
          {session.role === "handler"
            ? entry("/tray", <InboxOutlined aria-hidden />, <TrayName />)
            : entry("/", <HomeOutlined aria-hidden />, t("home.title"))}
          {entry("/clips", <PlaySquareOutlined aria-hidden />, t("nav.clips"))}
          {entry("/cases", <FolderOpenOutlined aria-hidden />, t("nav.cases"))}
        </nav>
        <span className="head-end">
          <WishesButtons wishes={wishes} />
          <span className="person">
            <b>{session.displayName}</b>
            <span className="quiet">{t(`role.${session.role}`)}</span>
          </span>
          <Button icon={<LogoutOutlined />} onClick={leave}>
            {t("nav.signOut")}
          </Button>
        </span>
      </header>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}

/** With how many clips wait for a case. */
function TrayName(): ReactNode {
  const { t } = useTranslation();
  const count = useOverview().data?.handler?.unboundClips;
  return (
    <>
      {t("tray.title")}
      {count !== undefined && count > 0 && (
        <Badge className="tray-count" count={count} overflowCount={999} title={t("tray.waiting", { count })} />
      )}
    </>
  );
}
