// One card per face: label, probabilities as bars in the model's order, and, if live, their course.
import { Chart } from "./chart.js";
import { personColor, toneName } from "./colors.js";
import { faceCount, labelText, percent, t } from "./i18n.js";
import { faceLabel, personOf } from "./overlay.js";

const KEEP_MS = 2000;
const MOST_CARDS = 12;
const TEXT_MS = 100;
const SAY_MS = 3000;
const NOTABLE = 0.02; // least difference of a frame alone from the smoothed share that is shown

export class People {
  #root;
  #live;
  #cards = new Map();
  #textsAt = 0;
  #said = "";
  #saidAt = -Infinity;
  #last;

  /** Cards go into `root`; a `live` one has charts, keeps its people by their ids, and says changes aloud. */
  constructor(root, { live = false } = {}) {
    this.#root = root;
    this.#live = live;
    document.addEventListener("language", () => this.#rewrite());
    this.clear();
  }

  /** Nobody was looked for yet. */
  clear() {
    this.#last = undefined;
    this.#cards.clear();
    this.#root.replaceChildren(note(t("face.nobody")));
  }

  /** Show the faces of `result`, taken at `timeMs`. */
  show(result, timeMs = performance.now()) {
    this.#last = result;
    const now = performance.now();
    const writes = !this.#live || now - this.#textsAt >= TEXT_MS;
    if (writes) this.#textsAt = now;
    const faces = [...result.faces.entries()].slice(0, MOST_CARDS);
    for (const [place, face] of faces) {
      const id = personOf(face, place);
      const card = this.#cards.get(id) ?? this.#add(id, face);
      card.show(face, timeMs, now, writes);
    }
    const seen = new Set(faces.map(([place, face]) => personOf(face, place)));
    for (const [id, card] of this.#cards) {
      if (seen.has(id)) continue;
      card.node.classList.add("gone");
      if (!this.#live || now - card.seenAt > KEEP_MS) {
        card.node.remove();
        this.#cards.delete(id);
      }
    }
    const empty = this.#root.querySelector(".empty");
    if (this.#cards.size) empty?.remove();
    else if (!empty) this.#root.replaceChildren(note(t("face.none")));
    else if (writes) empty.textContent = t("face.none");
    if (writes) this.#say(result, now);
  }

  #add(id, face) {
    const card = new Card(id, face, this.#live);
    this.#cards.set(id, card);
    const after = [...this.#cards.keys()].filter((other) => other > id).sort((a, b) => a - b)[0];
    this.#root.insertBefore(card.node, this.#cards.get(after)?.node ?? null);
    return card;
  }

  #say(result, now) {
    const text = result.faces.length
      ? result.faces.slice(0, 5).map((f, i) => t("face.says", { n: personOf(f, i), label: faceLabel(f) })).join(". ")
      : t("face.none");
    if (text === this.#said || (this.#live && now - this.#saidAt < SAY_MS)) return;
    this.#said = text;
    this.#saidAt = now;
    document.getElementById("live").textContent = text;
  }

  #rewrite() {
    const last = this.#last;
    this.clear();
    if (last) this.show(last);
  }
}

/** How many faces there are, in words. */
export const countText = (result) => faceCount(result.faces.length);

class Card {
  constructor(id, face, live) {
    this.node = element("article", "card");
    this.node.style.setProperty("--who", personColor(id));
    this.name = element("span");
    this.share = element("span", "share");
    const title = element("h2");
    const chip = element("span", "chip", String(id));
    chip.setAttribute("aria-label", t("face.person", { n: id }));
    chip.setAttribute("role", "img");
    title.append(chip, this.name, this.share);
    this.raw = element("p", "raw");
    this.node.append(title, this.raw);
    const labels = Object.keys(face.heads[0].probabilities);
    if (live) this.#addChart(labels);
    else this.raw.hidden = true;
    const list = element("ul", "bars");
    this.bars = new Map(labels.map((label) => [label, new Bar(list, label, live)]));
    this.node.append(list);
  }

  #addChart(labels) {
    const canvas = element("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", t("face.chart"));
    this.node.append(canvas);
    this.chart = new Chart(canvas, labels);
  }

  show(face, timeMs, now, writes) {
    this.seenAt = now;
    this.node.classList.remove("gone");
    const head = face.heads[0];
    this.chart?.add(timeMs, head.probabilities);
    if (!writes) return;
    this.chart?.draw();
    this.name.textContent = face.sure ? labelText(face.emotion) : t("face.maybe", { label: labelText(face.emotion) });
    this.share.textContent = percent(face.confidence);
    const raw = head.raw_probabilities;
    for (const [label, bar] of this.bars) {
      bar.show(head.probabilities[label] ?? 0, raw?.[label], label === face.emotion);
    }
    if (!raw) return;
    const [label, share] = Object.entries(raw).reduce((best, entry) => (entry[1] > best[1] ? entry : best));
    const notable = label !== face.emotion || Math.abs(share - face.confidence) > NOTABLE;
    this.raw.textContent = notable ? t("face.raw", { label: labelText(label), share: percent(share) }) : "";
  }
}

class Bar {
  constructor(list, label, live) {
    this.row = element("li");
    this.row.style.setProperty("--tone", `var(${toneName(label)})`);
    this.value = element("span", "value");
    const track = element("span", "track");
    track.append(element("span", "fill"));
    if (live) track.append((this.mark = element("span", "mark")));
    this.row.append(element("span", "", labelText(label)), track, this.value);
    list.append(this.row);
  }

  show(share, raw, first) {
    this.row.style.setProperty("--share", share.toFixed(3));
    this.row.classList.toggle("first", first);
    this.value.textContent = percent(share);
    if (!this.mark) return;
    this.mark.hidden = !(Math.abs(raw - share) > NOTABLE);
    if (raw !== undefined) this.row.style.setProperty("--raw", raw.toFixed(3));
  }
}

function element(name, className = "", text = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

const note = (text) => element("p", "empty card", text);
