// The probabilities of one face over the last 30 s.
import { tone } from "./colors.js";

const SPAN_MS = 30_000;
const STEP_MS = 100; // nobody sees more of a chart of 300 px
const DRAW_MS = 200;
const LEAST = 0.02; // a label that was never more probable has no line

export class Chart {
  #points = [];
  #drawnAt = -Infinity;
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
    if (last && timeMs - this.#points.at(-1)?.timeMs < STEP_MS) return;
    this.#points.push({ timeMs, shares: this.#labels.map((label) => probabilities[label] ?? 0) });
    while (this.#points[0].timeMs < timeMs - SPAN_MS) this.#points.shift();
  }

  draw() {
    const now = performance.now();
    if (now - this.#drawnAt < DRAW_MS) return;
    this.#drawnAt = now;
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
      if (!this.#points.some(({ shares }) => shares[i] > LEAST)) return;
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
