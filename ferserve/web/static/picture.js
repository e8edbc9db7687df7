// Pictures: chosen, dropped or pasted; looked at one after the other; shown with what was found.
import { alertError, alertText, clearAlerts } from "./alerts.js";
import { ApiError, classify } from "./api.js";
import { takesFiles } from "./drop.js";
import { CsvTable, jsonLine, save, stem } from "./files.js";
import { number, t } from "./i18n.js";
import { annotated, drawOverlay } from "./overlay.js";
import { countText, People } from "./people.js";

const AT_ONCE = 2;
const $ = (id) => document.getElementById(id);

export class Pictures {
  #items = [];
  #current;
  #working = 0;
  #people = new People($("picture-people"));
  #mostBytes;

  constructor() {
    takesFiles($("drop"), $("files"), (files) => this.add(files));
    document.addEventListener("paste", (event) => {
      if (!$("picture").hidden && event.clipboardData.files.length) this.add([...event.clipboardData.files]);
    });
    $("picture-landmarks").addEventListener("change", () => this.#draw());
    $("picture-image").addEventListener("load", () => this.#draw());
    $("picture-image").addEventListener("error", () => this.#showNoPreview());
    new ResizeObserver(() => this.#draw()).observe($("picture-stage"));
    document.addEventListener("language", () => this.#describe());
    $("clear").addEventListener("click", () => this.clear());
    $("save-picture").addEventListener("click", () => this.#savePicture());
    $("save-json").addEventListener("click", () => this.#saveJson());
    $("save-csv").addEventListener("click", () => this.#saveCsv());
  }

  /** The largest file that the server takes. */
  set mostBytes(bytes) {
    this.#mostBytes = bytes;
  }

  add(files) {
    clearAlerts();
    for (const file of files) {
      if (file.size > this.#mostBytes) {
        const megabytes = (bytes) => number(bytes / 2 ** 20, 0);
        alertText(t("error.too_large", { name: file.name, size: megabytes(file.size), most: megabytes(this.#mostBytes) }));
      } else {
        const item = { file, name: file.name, url: URL.createObjectURL(file), state: "waiting" };
        this.#items.push(item);
        this.#addToShelf(item);
      }
    }
    this.#arrange();
    while (this.#working < AT_ONCE && this.#next()) this.#work();
  }

  clear() {
    for (const item of this.#items) URL.revokeObjectURL(item.url);
    this.#items = [];
    this.#current = undefined;
    $("shelf").replaceChildren();
    $("picture-image").removeAttribute("src");
    this.#people.clear();
    this.#arrange();
    clearAlerts();
    $("files").focus();
  }

  #next() {
    return this.#items.find((item) => item.state === "waiting");
  }

  async #work() {
    this.#working += 1;
    for (let item = this.#next(); item; item = this.#next()) {
      item.state = "asked";
      if (!this.#current) this.#select(item);
      try {
        item.result = await classify(item.file);
        if (item.result.fault) throw new ApiError(item.result.fault.code, item.result.fault.message);
        item.state = "done";
      } catch (error) {
        item.state = "failed";
        item.error = error;
        if (this.#items.includes(item)) alertError(error, item.name);
      }
      if (this.#items.includes(item)) this.#onAnswer(item);
    }
    this.#working -= 1;
  }

  #onAnswer(item) {
    item.button.classList.toggle("failed", item.state === "failed");
    item.count.textContent = item.state === "done" ? item.result.faces.length : "!";
    if (item.state === "failed" && item === this.#current) {
      const other = this.#items.find((one) => one.state !== "failed");
      if (other) return this.#select(other);
    } else if (this.#current?.state === "failed" && item.state === "done") return this.#select(item);
    if (item === this.#current) this.#show();
    this.#arrange();
  }

  #addToShelf(item) {
    const row = document.createElement("li");
    item.button = document.createElement("button");
    item.button.type = "button";
    item.count = Object.assign(document.createElement("span"), { className: "count", textContent: "…" });
    const image = Object.assign(document.createElement("img"), { src: item.url, alt: item.name });
    item.button.append(image, item.count);
    item.button.addEventListener("click", () => this.#select(item));
    row.append(item.button);
    $("shelf").append(row);
  }

  #select(item) {
    this.#current = item;
    for (const one of this.#items) one.button.setAttribute("aria-current", String(one === item));
    $("picture-image").style.aspectRatio = "";
    $("picture-image").src = item.url;
    this.#show();
    this.#arrange();
  }

  #show() {
    const { result } = this.#current;
    if (result) this.#people.show(result);
    else this.#people.clear();
    this.#describe();
    this.#draw();
  }

  #describe() {
    const item = this.#current;
    if (!item) return;
    const count = item.result ? countText(item.result) : item.error ? item.error.message : t("picture.waiting");
    $("picture-image").alt = t("picture.alt", { name: item.name, count });
    const note = item.result?.degraded || (item.unseen ? t("picture.nopreview") : "");
    $("picture-note").textContent = item.result ? [count, note].filter(Boolean).join(" · ") : count;
  }

  #showNoPreview() {
    const item = this.#current;
    if (!item?.result?.width) return;
    item.unseen = true;
    $("picture-image").style.aspectRatio = `${item.result.width} / ${item.result.height}`;
    this.#describe();
    this.#draw();
  }

  #draw() {
    drawOverlay($("picture-overlay"), this.#current?.result, { landmarks: $("picture-landmarks").checked });
  }

  #arrange() {
    const some = this.#items.length > 0;
    $("drop").classList.toggle("small", some);
    $("picture-stage").hidden = !some || this.#items.every((item) => item.state === "failed");
    $("shelf").hidden = this.#items.length < 2;
    $("picture-tools").hidden = !some;
    for (const id of ["save-json", "save-csv"]) $(id).disabled = !this.#done().length;
    $("save-picture").disabled = !this.#current?.result || this.#current.unseen;
  }

  #done() {
    return this.#items.filter((item) => item.state === "done");
  }

  #savePicture() {
    const { result, name } = this.#current;
    const canvas = annotated($("picture-image"), result, { landmarks: $("picture-landmarks").checked });
    canvas.toBlob((blob) => save(`${stem(name)}-faces.png`, "image/png", [blob]), "image/png");
  }

  #saveJson() {
    save("faces.jsonl", "application/x-ndjson", this.#done().map((item) => jsonLine(item.result, item.name)));
  }

  #saveCsv() {
    const done = this.#done();
    const withFaces = done.find((item) => item.result.faces.length);
    const heads = withFaces?.result.faces[0].heads ?? [];
    const table = new CsvTable(Object.fromEntries(heads.map((head) => [head.name, Object.keys(head.probabilities)])));
    save("faces.csv", "text/csv", [table.header(), ...done.flatMap((item) => table.rows(item.result, item.name))]);
  }
}
