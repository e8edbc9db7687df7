// What the stream does, in numbers.
import { number, t } from "./i18n.js";

const STAGES = ["queue", "decode", "detect", "preprocess", "infer"];
const SPAN_MS = 2000;
const WRITE_MS = 250;
const $ = (id) => document.getElementById(id);

export class Meters {
  #results = [];
  #writtenAt = 0;
  #stages = STAGES.map(() => document.createElement("i"));
  skipped = 0;
  answered = 0;

  constructor() {
    $("stages").replaceChildren(...this.#stages);
  }

  /** Begin anew. */
  clear() {
    this.#results.length = 0;
    this.skipped = this.answered = 0;
    for (const name of ["fps", "trip", "server", "skipped", "size"]) $(`meter-${name}`).textContent = "–";
  }

  /** Note a result; `lost` frames went with their connection. */
  note(result, tripMs, lost) {
    const now = performance.now();
    this.answered += 1;
    if (result.dropped) this.skipped += 1;
    this.#results.push({ now, tripMs, timings: result.timings, size: `${result.width}×${result.height}`, ok: result.width });
    while (this.#results[0].now < now - SPAN_MS) this.#results.shift();
    if (now - this.#writtenAt < WRITE_MS) return;
    this.#writtenAt = now;
    this.#write(now, lost);
  }

  #write(now, lost) {
    const done = this.#results.filter(({ ok }) => ok);
    if (!done.length) return;
    const span = Math.max(now - this.#results[0].now, 1);
    const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
    const stage = (name) => median(done.map(({ timings }) => timings[`${name}_ms`]));
    $("meter-fps").textContent = number(((done.length - 1) / span) * 1000, 1);
    $("meter-trip").textContent = `${number(median(done.map(({ tripMs }) => tripMs)), 0)} ms`;
    $("meter-server").textContent = `${number(stage("total"), 1)} ms`;
    $("meter-skipped").textContent = number(this.skipped + lost);
    $("meter-size").textContent = done.at(-1).size;
    const values = {};
    STAGES.forEach((name, i) => {
      const ms = stage(name);
      values[name] = number(ms, 1);
      this.#stages[i].style.flexGrow = String(ms);
    });
    $("meter-server").title = t("meter.stages", values);
  }
}
