import { App as AntApp, ConfigProvider, Result, Spin, theme } from "antd";
import enUS from "antd/locale/en_US";
import zhCN from "antd/locale/zh_CN";
import { lazy, type ReactNode, Suspense, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, Redirect, Route, Switch, useLocation } from "wouter";
import { Layout } from "./layout.tsx";
import {
  chooseLanguage,
  chooseShade,
  chosenLanguage,
  chosenShade,
  isStill,
  type Language,
  type Shade,
} from "./preferences.ts";
import { forgetAll, mayBind, useSession } from "./session.ts";
import { PageBoundary } from "./shared/page-boundary.tsx";
import { ProblemNotice } from "./shared/problem-notice.tsx";
import { SignInPage } from "./sign-in.tsx";

// What comes after sign-in is loaded then: the first page stays small.
const HomePage = lazy(() => import("./home/home-page.tsx"));
const ClipsPage = lazy(() => import("./clips/clips-page.tsx"));
const ClipPage = lazy(() => import("./clip/clip-page.tsx"));
const RecorderPage = lazy(() => import("./recorders/recorder-page.tsx"));
const TrayPage = lazy(() => import("./tray/tray-page.tsx"));
const CasesPage = lazy(() => import("./cases/cases-page.tsx"));
const CasePage = lazy(() => import("./cases/case-page.tsx"));
const ExportPage = lazy(() => import("./exports/export-page.tsx"));

/** Styles that antd makes while it runs bear the nonce of this document: the policy allows no others. */
const nonce = document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? "";

export interface Wishes {
  readonly language: Language;
  readonly shade: Shade;
  readonly setLanguage: (language: Language) => void;
  readonly setShade: (shade: Shade) => void;
}

export function App(): ReactNode {
  const { i18n, t } = useTranslation();
  const [language, setLanguage] = useState(chosenLanguage);
  const [shade, setShade] = useState(chosenShade);
  useEffect(() => {
    document.documentElement.lang = language;
    document.documentElement.dataset["shade"] = shade;
    document.title = t("productShort");
  }, [language, shade, t]);
  const wishes: Wishes = {
    language,
    shade,
    setLanguage: (wanted) => {
      chooseLanguage(wanted);
      setLanguage(wanted);
      void i18n.changeLanguage(wanted);
    },
    setShade: (wanted) => {
      chooseShade(wanted);
      setShade(wanted);
    },
  };
  return (
    <ConfigProvider
      csp={{ nonce }}
      locale={language === "en" ? enUS : zhCN}
      theme={{
        algorithm: shade === "dark" ? theme.darkAlgorithm : theme.defaultAlgorithm,
        token: {
          ...(shade === "dark"
            ? {
                colorPrimary: "#4484d2",
                colorInfo: "#7db0ee",
                colorBgBase: "#10151b",
                colorLink: "#7db0ee",
                colorSuccess: "#4fb477",
                colorTextPlaceholder: "#93a0ae",
                colorTextDescription: "#9aa7b5",
              }
            : {
                colorPrimary: "#1d5fb4",
                colorTextPlaceholder: "#68717c",
                colorTextDescription: "#5a6675",
                colorLink: "#1d5fb4",
                colorSuccess: "#1e7e43",
                colorSuccessBg: "#e8f5ec",
                colorSuccessBorder: "#b9dfc6",
              }),
          motion: !isStill(),
          borderRadius: 6,
          fontFamily: "var(--letters)",
        },
      }}
    >
      <AntApp>
        <Pages wishes={wishes} />
      </AntApp>
    </ConfigProvider>
  );
}

function Pages({ wishes }: { wishes: Wishes }): ReactNode {
  const { session, error } = useSession();
  const [location] = useLocation();
  useEffect(() => {
    if (session === null) forgetAll();
  }, [session]);
  if (error !== null) return <ProblemNotice error={error} />;
  if (session === undefined) return <Spin className="waiting" />;
  if (session === null) return <SignInPage wishes={wishes} />;
  return (
    <Layout session={session} wishes={wishes}>
      <PageBoundary at={location}>
        <Suspense fallback={<Spin className="waiting" />}>
          <Switch>
            <Route path="/clips">
              <ClipsPage />
            </Route>
            <Route path="/clips/:id">{({ id }) => <ClipPage id={id} />}</Route>
            <Route path="/cases">
              <CasesPage />
            </Route>
            <Route path="/cases/:id">{({ id }) => <CasePage key={id} id={id} />}</Route>
            <Route path="/recorders/:serial">
              {({ serial }) => <RecorderPage key={serial} serial={wholly(serial)} />}
            </Route>
            <Route path="/exports/:id">{({ id }) => <ExportPage key={id} id={id} />}</Route>
            <Route path="/tray">
              {mayBind(session.role) ? <TrayPage /> : <Redirect to="/clips?unbound=true" replace />}
            </Route>
            <Route path="/">{session.role === "handler" ? <Redirect to="/tray" replace /> : <HomePage />}</Route>
            <Route path="/sign-in">
              <Redirect to="/" replace />
            </Route>
            <Route>
              <NotFound />
            </Route>
          </Switch>
        </Suspense>
      </PageBoundary>
    </Layout>
  );
}

/** The router decodes all but what separates parts of an address; a serial may hold that too. */
function wholly(part: string): string {
  return part.replace(/%2[3f]|%3[ab]|%[34]0|%2[46bc]|%3[df]/gi, decodeURIComponent);
}

function NotFound(): ReactNode {
  const { t } = useTranslation();
  return <Result status="info" title={t("nav.notFound")} extra={<Link href="/clips">{t("nav.toClips")}</Link>} />;
}
