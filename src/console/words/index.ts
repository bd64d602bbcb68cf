import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { chosenLanguage } from "../preferences.ts";
import { en } from "./en.ts";
import type { Same } from "./same.ts";
import { zh } from "./zh.ts";

declare module "i18next" {
  interface CustomTypeOptions {
    resources: { translation: Same<typeof zh> };
    returnObjects: false;
  }
}

/** Both languages come with the script: switching asks the server for nothing. */
export async function startWords(): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: chosenLanguage(),
    fallbackLng: "zh-CN",
    resources: { "zh-CN": { translation: zh }, en: { translation: en } },
    // Codes and types of events hold dots and colons.
    keySeparator: ".",
    nsSeparator: false,
    interpolation: { escapeValue: false },
  });
}
