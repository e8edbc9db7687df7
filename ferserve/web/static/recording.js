// Results as they come, kept as rows of CSV; never video.
import { CsvTable, save } from "./files.js";

const ROWS_PER_PART = 1000;
const MOST_ROWS = 500_000;

export class Recording {
  #table;
  #parts;
  #rows = [];
  count = 0;

  constructor(heads) {
    this.#table = new CsvTable(heads);
    this.#parts = [this.#table.header()];
  }

  get full() {
    return this.count >= MOST_ROWS;
  }

  add(result) {
    const rows = this.#table.rows(result, "camera");
    this.count += rows.length;
    this.#rows.push(...rows);
    if (this.#rows.length >= ROWS_PER_PART) this.#pack(); // browsers keep large blobs on the disk
  }

  save() {
    this.#pack();
    const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
    save(`faces-${stamp}.csv`, "text/csv", this.#parts);
  }

  #pack() {
    this.#parts.push(new Blob(this.#rows));
    this.#rows = [];
  }
}
