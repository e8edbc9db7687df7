// How large frames are: as large as the round trip allows.
const SIDES_PX = [240, 320, 480, 640];
const TOO_LONG_MS = 140;
const SHORT_MS = 70;
const PATIENCE = 12;
const CAUTION = 90;

export class Pace {
  #step = SIDES_PX.length - 1;
  #long = 0;
  #short = 0;
  #average;

  /** Longest side of the next frame, px. */
  get sidePx() {
    return SIDES_PX[this.#step];
  }

  /** The mean round trip of late, ms; undefined at first. */
  get tripMs() {
    return this.#average;
  }

  /** Note a round trip: frames shrink soon if trips are long, and grow again after many short ones. */
  note(tripMs) {
    this.#average = this.#average === undefined ? tripMs : this.#average + 0.1 * (tripMs - this.#average);
    this.#long = this.#average > TOO_LONG_MS ? this.#long + 1 : 0;
    this.#short = this.#average < SHORT_MS ? this.#short + 1 : 0;
    if (this.#long >= PATIENCE && this.#step > 0) this.#move(-1);
    if (this.#short >= CAUTION && this.#step < SIDES_PX.length - 1) this.#move(1);
  }

  #move(step) {
    this.#step += step;
    this.#long = this.#short = 0;
  }
}
