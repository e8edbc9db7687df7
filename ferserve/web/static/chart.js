// The probabilities of one face over the last 30 s.
import { tone } from "./colors.js";

const SPAN_MS = 30_000;
const MOST = 1200;

export class Chart {
  #points = [];
  #canvas;
  #labels;

  constructor(canvas, labels) {
    this.#canvas = canvas;
    this.#labels = labels;
  }

  /** Note the probabilities of a moment, by label. */
  add(timeMs, probabilities) {
    const last = this.#points.at(-1);
    if (last && timeMs <= last.timeMs) this.#points.length = 0; // another clip, or back in this one
    this.#points.push({ timeMs, shares: this.#labels.map((label) => probabilities[label] ?? 0) });
    while (this.#points.length > MOST || this.#points[0].timeMs < timeMs - SPAN_MS) this.#points.shift();
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.#canvas.clientWidth * ratio);
    const height = Math.round(this.#canvas.clientHeight * ratio);
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    const context = this.#canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    const newest = this.#points.at(-1)?.timeMs ?? 0;
    const pad = 4 * ratio;
    const x = (timeMs) => width - ((newest - timeMs) / SPAN_MS) * width;
    const y = (share) => height - pad - share * (height - 2 * pad);
    context.lineWidth = 1.8 * ratio;
    context.lineJoin = "round";
    this.#labels.forEach((label, i) => {
      context.strokeStyle = tone(label);
      context.beginPath();
      let before = -Infinity;
      for (const { timeMs, shares } of this.#points) {
        context[timeMs - before > 1500 ? "moveTo" : "lineTo"](x(timeMs), y(shares[i])); // a gap: the face was away
        before = timeMs;
      }
      context.stroke();
    });
  }
}
