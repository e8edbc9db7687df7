// Faces drawn over a picture.
import { personColor } from "./colors.js";
import { labelText, percent, t } from "./i18n.js";

/** What a face expresses, in a word: the steady label, or that the model is not sure. */
export const faceLabel = (face) => (face.sure ? labelText(face.emotion) : t("face.unsure"));

/** Id of a face within a stream, else its place in the picture. */
export const personOf = (face, place) => face.track_id || place + 1;

/**
 * Draw the faces of `result` over the whole of `canvas`, whose picture is shown as large as fits.
 * Options: landmarks, mirror.
 */
export function drawOverlay(canvas, result, options = {}) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  if (!result?.width) return;
  const scale = Math.min(width / result.width, height / result.height);
  const left = (width - result.width * scale) / 2;
  const top = (height - result.height * scale) / 2;
  drawFaces(context, result, { ...options, scale, left, top, unit: ratio });
}

/** A canvas with `image` and its faces in full size. */
export function annotated(image, result, options = {}) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: result.width, height: result.height });
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, result.width, result.height);
  const unit = Math.max(1, Math.max(result.width, result.height) / 900);
  drawFaces(context, result, { ...options, scale: 1, left: 0, top: 0, unit });
  return canvas;
}

function drawFaces(context, result, view) {
  const size = { width: result.width * view.scale, left: view.left, right: view.left + result.width * view.scale };
  const x = (px) => (view.mirror ? size.right - px * view.scale : view.left + px * view.scale);
  const y = (px) => view.top + px * view.scale;
  result.faces.forEach((face, place) => {
    const [x0, y0, x1, y1] = face.box;
    const box = { left: Math.min(x(x0), x(x1)), right: Math.max(x(x0), x(x1)), top: y(y0), bottom: y(y1) };
    const color = personColor(personOf(face, place));
    drawBox(context, box, color, view.unit);
    if (view.landmarks) for (const point of face.landmarks ?? []) dot(context, x(point[0]), y(point[1]), color, view.unit);
    const text = `${personOf(face, place)}  ${faceLabel(face)}${face.sure ? ` ${percent(face.confidence)}` : ""}`;
    drawPlate(context, text, box, size, color, view.unit);
  });
}

function drawBox(context, box, color, unit) {
  const radius = Math.min(10 * unit, (box.right - box.left) / 4);
  context.lineJoin = "round";
  for (const [width, style] of [[5 * unit, "rgb(0 0 0 / .45)"], [2.5 * unit, color]]) {
    context.lineWidth = width;
    context.strokeStyle = style;
    context.beginPath();
    context.roundRect(box.left, box.top, box.right - box.left, box.bottom - box.top, radius);
    context.stroke();
  }
}

function dot(context, x, y, color, unit) {
  context.beginPath();
  context.arc(x, y, 3 * unit, 0, 7);
  context.fillStyle = color;
  context.strokeStyle = "rgb(0 0 0 / .6)";
  context.lineWidth = unit;
  context.fill();
  context.stroke();
}

function drawPlate(context, text, box, size, color, unit) {
  const height = 24 * unit;
  context.font = `600 ${14 * unit}px ui-sans-serif, system-ui, sans-serif`;
  context.textBaseline = "middle";
  const width = context.measureText(text).width + 18 * unit;
  const left = Math.max(size.left, Math.min(box.left - unit, size.right - width));
  const above = box.top - height - 5 * unit;
  const top = above > 0 ? above : box.bottom + 5 * unit;
  context.fillStyle = "rgb(10 12 14 / .82)";
  context.beginPath();
  context.roundRect(left, top, width, height, 7 * unit);
  context.fill();
  context.fillStyle = color;
  context.fillText(text, left + 9 * unit, top + height / 2 + unit);
}
