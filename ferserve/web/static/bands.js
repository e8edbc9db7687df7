// A clip at a glance: one band per person, coloured by what the face expresses.
import { tone } from "./colors.js";

const MOST_BANDS = 6;

/** Draw `results`, of `count` frames in all, with a line at the `current` one. */
export function drawBands(canvas, results, count, current) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  const people = [...new Set(results.flatMap((result) => result?.faces.map((face) => face.track_id) ?? []))];
  const rows = Math.min(Math.max(people.length, 1), MOST_BANDS);
  const band = height / rows;
  const step = width / Math.max(count, 1);
  const tones = new Map();
  results.forEach((result, i) => {
    for (const face of result?.faces ?? []) {
      const row = people.indexOf(face.track_id);
      if (row >= rows) continue;
      if (!tones.has(face.emotion)) tones.set(face.emotion, tone(face.emotion));
      context.globalAlpha = face.sure ? 1 : 0.35;
      context.fillStyle = tones.get(face.emotion);
      const left = Math.floor(i * step);
      context.fillRect(left, row * band + 2 * ratio, Math.floor((i + 1) * step) - left, band - 4 * ratio);
    }
  });
  context.globalAlpha = 1;
  context.fillStyle = getComputedStyle(canvas).color;
  context.fillRect(Math.min(current * step, width - 2 * ratio), 0, 2 * ratio, height);
}
