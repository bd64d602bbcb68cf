import { MoonOutlined, SunOutlined } from "@ant-design/icons";
import { Button } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Wishes } from "../app.tsx";

/** Language, and light or dark. Each button shows where it leads. */
export function WishesButtons({ wishes }: { wishes: Wishes }): ReactNode {
  const { t } = useTranslation();
  const { language, setLanguage, shade, setShade } = wishes;
  const other = language === "en" ? "zh-CN" : "en";
  const dark = shade === "dark";
  const label = dark ? t("nav.toLight") : t("nav.toDark");
  return (
    <>
      <Button type="text" lang={other} className="language" onClick={() => setLanguage(other)}>
        {other === "en" ? "English" : "中文"}
      </Button>
      <Button
        type="text"
        aria-label={label}
        title={label}
        icon={dark ? <SunOutlined /> : <MoonOutlined />}
        onClick={() => setShade(dark ? "light" : "dark")}
      />
    </>
  );
}
