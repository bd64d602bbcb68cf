import { Button, Result } from "antd";
import { Component, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

interface Given {
  /** Path of the page; another one gets a chance of its own. */
  readonly at: string;
  readonly children: ReactNode;
}

interface State {
  readonly at: string;
  readonly failed: boolean;
}

/** What stands in place of a page that could not be loaded because the line was away, or that failed: never nothing. */
export class PageBoundary extends Component<Given, State> {
  override state: State = { at: this.props.at, failed: false };

  static getDerivedStateFromError(): Partial<State> {
    return { failed: true };
  }

  static getDerivedStateFromProps({ at }: Given, state: State): State | null {
    return at === state.at ? null : { at, failed: false };
  }

  override render(): ReactNode {
    return this.state.failed ? <FailedPage /> : this.props.children;
  }
}

function FailedPage(): ReactNode {
  const { t } = useTranslation();
  const reload = (
    <Button type="primary" onClick={() => window.location.reload()}>
      {t("nav.reload")}
    </Button>
  );
  return <Result status="warning" title={t("nav.failed")} subTitle={t("nav.failedAdvice")} extra={reload} />;
}
