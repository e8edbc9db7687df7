// The language of the page.
import { LANGUAGES, TEXTS } from "./texts.js";

let index = 0;

/** The text of `key` in the language of the page; {names} are filled in from `values`. */
export function t(key, values = {}) {
  const text = TEXTS[key]?.[index] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** A model's label as people read it. */
export const labelText = (label) => (TEXTS[`label.${label}`] ? t(`label.${label}`) : label);

/** A share of one, as a percentage. */
export const percent = (share) => `${Math.round(share * 100)}\u00a0%`;

/** A number with `digits` decimals, as the language writes it. */
export const number = (value, digits = 0) =>
  value.toLocaleString(LANGUAGES[index], { minimumFractionDigits: digits, maximumFractionDigits: digits });

export const faceCount = (n) => (n === 1 ? t("face.one") : n ? t("face.count", { n }) : t("face.none"));

/** The language to begin with: the one chosen before, else the browser's. */
export function firstLanguage() {
  const wanted = [localStorage.getItem("language"), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  return wanted.find((tag) => LANGUAGES.includes(tag)) ?? "en";
}

/** Write every marked text of the document in `language`, and tell whoever writes texts itself. */
export function setLanguage(language) {
  index = LANGUAGES.indexOf(language);
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll("[data-text]")) {
    node.textContent = t(node.dataset.text, { host: location.host });
  }
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", t(node.dataset.label));
  document.dispatchEvent(new Event("language"));
}
