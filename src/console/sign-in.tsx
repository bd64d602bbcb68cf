import { LockOutlined, UserOutlined } from "@ant-design/icons";
import { Button, Card, Form, Input } from "antd";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Wishes } from "./app.tsx";
import { signIn } from "./session.ts";
import { Mark } from "./shared/mark.tsx";
import { ProblemNotice } from "./shared/problem-notice.tsx";
import { WishesButtons } from "./shared/wishes-buttons.tsx";

export function SignInPage({ wishes }: { wishes: Wishes }): ReactNode {
  const { t } = useTranslation();
  const [error, setError] = useState<Error>();
  const [busy, setBusy] = useState(false);
  const submit = async ({ name, password }: { name: string; password: string }): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await signIn(name, password);
    } catch (problem) {
      setError(problem instanceof Error ? problem : new Error(String(problem)));
      setBusy(false);
    }
  };
  return (
    <div className="sign-in">
      <header>
        <WishesButtons wishes={wishes} />
      </header>
      <main>
        <Card className="sign-in-card">
          <div className="sign-in-brand">
            <Mark />
            <h1>{t("product")}</h1>
          </div>
          <Form layout="vertical" requiredMark={false} size="large" onFinish={submit}>
            <Form.Item
              name="name"
              label={t("signIn.name")}
              rules={[{ required: true, message: t("signIn.nameNeeded") }]}
            >
              <Input prefix={<UserOutlined />} autoComplete="username" autoFocus maxLength={100} />
            </Form.Item>
            <Form.Item
              name="password"
              label={t("signIn.password")}
              rules={[{ required: true, message: t("signIn.passwordNeeded") }]}
            >
              <Input.Password prefix={<LockOutlined />} autoComplete="current-password" maxLength={1000} />
            </Form.Item>
            {error !== undefined && (
              <div className="sign-in-problem">
                <ProblemNotice error={error} />
              </div>
            )}
            <Button type="primary" htmlType="submit" block loading={busy}>
              {t("signIn.submit")}
            </Button>
          </Form>
          <p className="quiet">{t("signIn.note")}</p>
        </Card>
      </main>
    </div>
  );
}
