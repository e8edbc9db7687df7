// What went wrong, said on the page until it is dismissed.
import { t } from "./i18n.js";

const MOST = 3;

/** Say `text`, and in small what the server said. */
export function alertText(text, detail = "") {
  const root = document.getElementById("alerts");
  const node = document.createElement("div");
  const words = document.createElement("div");
  const button = document.createElement("button");
  node.className = "alert";
  words.textContent = text;
  if (detail) words.append(Object.assign(document.createElement("small"), { textContent: detail, lang: "en" }));
  button.type = "button";
  button.textContent = t("dismiss");
  button.addEventListener("click", () => node.remove());
  node.append(words, button);
  root.append(node);
  while (root.children.length > MOST) root.firstChild.remove();
}

export const clearAlerts = () => document.getElementById("alerts").replaceChildren();

/** Say why the server refused something called `name`. */
export function alertError(error, name = "") {
  const known = ["invalid_frame", "overloaded", "unauthenticated", "unreachable"].includes(error.code);
  const text = t(known ? `error.${error.code}` : "error.other", { name });
  alertText(text, error.code === "unreachable" ? "" : error.message);
}
