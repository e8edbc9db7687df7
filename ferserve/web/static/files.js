// Results as files: JSON lines and CSV as the commands write them, and downloads.
const POINTS = ["eye_left", "eye_right", "nose", "mouth_left", "mouth_right"];
const STAGES = ["queue_ms", "decode_ms", "detect_ms", "preprocess_ms", "infer_ms", "total_ms"];
const FIXED = [
  "source", "frame_id", "capture_time_ns", "track_id",
  ...["x0", "y0", "x1", "y1"].map((corner) => `box.${corner}`),
  "score",
  ...POINTS.flatMap((point) => [`landmarks.${point}.x`, `landmarks.${point}.y`]),
  "landmarks_age_ms", "head_pose.yaw", "head_pose.pitch", "head_pose.roll",
  "emotion", "confidence", "top", "top_confidence", "certainty", "sure",
  "degraded", "fault.code", "fault.message", "dropped", "tracks_lost",
  "width", "height", "model_name", "model_version",
  ...STAGES.map((stage) => `timings.${stage}`),
  "schema_version",
];

/** A table of one model's results; `heads` are its labels by head. The same columns as ferserve/rendering/csv.py. */
export class CsvTable {
  constructor(heads) {
    const ofHead = ([head, labels]) => [
      ...["label", "confidence", "top", "top_confidence"].map((field) => `heads.${head}.${field}`),
      ...["probabilities", "raw_probabilities"].flatMap((field) => labels.map((label) => `heads.${head}.${field}.${label}`)),
    ];
    this.columns = [...FIXED, ...Object.entries(heads).flatMap(ofHead)];
  }

  header() {
    return line(this.columns);
  }

  /** One row per face, or one without. */
  rows(result, source) {
    const { faces, timings, fault, type, ...frame } = result;
    const common = { source, ...frame, ...flat("timings", timings), ...(fault ? flat("fault", fault) : {}) };
    const cells = faces.length ? faces.map((face) => ({ ...common, ...faceCells(face) })) : [common];
    return cells.map((row) => line(this.columns.map((column) => row[column])));
  }
}

const flat = (name, values) => Object.fromEntries(Object.entries(values ?? {}).map(([key, value]) => [`${name}.${key}`, value]));

function faceCells({ box, landmarks, head_pose: pose, heads, ...face }) {
  const cells = { ...face, ...flat("head_pose", pose) };
  ["x0", "y0", "x1", "y1"].forEach((corner, i) => (cells[`box.${corner}`] = box[i]));
  POINTS.forEach((point, i) => {
    cells[`landmarks.${point}.x`] = landmarks?.[i][0];
    cells[`landmarks.${point}.y`] = landmarks?.[i][1];
  });
  for (const { name, probabilities, raw_probabilities: raw, ...head } of heads) {
    Object.assign(cells, flat(`heads.${name}`, head), flat(`heads.${name}.probabilities`, probabilities));
    Object.assign(cells, flat(`heads.${name}.raw_probabilities`, raw));
  }
  return cells;
}

/** A line; texts that a spreadsheet would take for formulas get an apostrophe. */
function line(values) {
  const cell = (value) => {
    if (typeof value === "string" && /^[=+\-@\t\r\n]/.test(value)) value = `'${value}`;
    const text = String(value ?? "");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `${values.map(cell).join(",")}\r\n`;
}

/** A result as a line of JSON, with its source. */
export function jsonLine({ type, schema_version, ...result }, source) {
  return `${JSON.stringify({ schema_version, source, ...result })}\n`;
}

/** Save `parts` as a file. */
export function save(name, kind, parts) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type: kind }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A file's name without its ending. */
export const stem = (name) => name.replace(/\.[^.]*$/, "") || name;
