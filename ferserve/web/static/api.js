// Requests to the server.
import { t } from "./i18n.js";

export class ApiError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export const token = () => sessionStorage.getItem("token") ?? "";

/** Ask for a token in a dialog; true if one was given. */
export function askForToken() {
  const dialog = document.getElementById("token-dialog");
  const field = document.getElementById("token");
  field.value = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "use") sessionStorage.setItem("token", field.value.trim());
      resolve(dialog.returnValue === "use");
      dialog.returnValue = "";
    }, { once: true });
  });
}

async function request(path, init = {}) {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  let answer;
  try {
    answer = await fetch(path, { ...init, headers });
  } catch {
    throw new ApiError("unreachable", t("error.unreachable"));
  }
  const body = await answer.json().catch(() => undefined);
  if (!answer.ok) throw new ApiError(body?.error?.code ?? "other", body?.error?.message ?? `HTTP ${answer.status}`);
  return body;
}

/** Limits and version. */
export const fetchInfo = () => request("v1/info");

/** The faces of a picture's file; asks for a token if the server wants one. */
export async function classify(file) {
  try {
    return await request("v1/classify", { method: "POST", body: file });
  } catch (error) {
    if (error.code !== "unauthenticated" || !(await askForToken())) throw error;
    return request("v1/classify", { method: "POST", body: file });
  }
}
