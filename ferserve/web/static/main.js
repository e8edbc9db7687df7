// The page: its tabs, its language, its colours, and what the server says of itself.
import { alertError, clearAlerts } from "./alerts.js";
import { fetchInfo } from "./api.js";
import { Camera } from "./camera.js";
import { firstLanguage, setLanguage } from "./i18n.js";
import { Pictures } from "./picture.js";
import { Video } from "./video.js";

const $ = (id) => document.getElementById(id);
const tabs = [...document.querySelectorAll("[role=tab]")];

function showTab(tab, focus = false) {
  clearAlerts();
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    $(other.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (focus) tab.focus();
  history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
  document.dispatchEvent(new CustomEvent("tab", { detail: tab.getAttribute("aria-controls") }));
}

for (const [i, tab] of tabs.entries()) {
  tab.addEventListener("click", () => showTab(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -i, End: tabs.length - 1 - i }[event.key];
    if (step !== undefined) showTab(tabs[(i + step + tabs.length) % tabs.length], true);
  });
}

function setTheme(theme) {
  const dark = theme === "dark" || (theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

function remember(select, key, first, apply) {
  select.value = first;
  apply(first);
  select.addEventListener("change", () => {
    localStorage.setItem(key, select.value);
    apply(select.value);
  });
}

remember($("theme"), "theme", localStorage.getItem("theme") ?? "auto", setTheme);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme($("theme").value));
remember($("language"), "language", firstLanguage(), setLanguage);

const pictures = new Pictures();
const camera = new Camera();
new Video();
const [hash, started] = location.hash.slice(1).split("=");
showTab(tabs.find((tab) => tab.getAttribute("aria-controls") === hash) ?? tabs[0]);

try {
  const info = await fetchInfo();
  pictures.mostBytes = info.max_picture_bytes;
  camera.demoClip = info.demo_clip;
  if (hash === "camera" && started === "demo" && info.demo_clip) camera.start("demo");
  $("version").textContent = `ferserve ${info.version}`;
} catch (error) {
  alertError(error);
}
document.documentElement.dataset.ready = "yes";
