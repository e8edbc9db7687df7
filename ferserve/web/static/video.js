// A video file: every frame to the server, results along a timeline.
import { alertError, alertText, clearAlerts } from "./alerts.js";
import { askForToken } from "./api.js";
import { drawBands } from "./bands.js";
import { lengthOf, loadClip, measureFps, seek } from "./clip.js";
import { takesFiles } from "./drop.js";
import { CsvTable, jsonLine, save, stem } from "./files.js";
import { t } from "./i18n.js";
import { drawOverlay } from "./overlay.js";
import { People } from "./people.js";
import { Sampler } from "./sampler.js";
import { FrameStream } from "./stream.js";

const MOST_FRAMES = 36_000;
const SIDE_PX = 960;
const $ = (id) => document.getElementById(id);

export class Video {
  #video = $("video-video");
  #people = new People($("video-people"));
  #results = [];
  #count = 0;
  #fps = 0;
  #file;
  #heads;
  #run; // the reading under way, if any
  #drawn = 0;

  constructor() {
    takesFiles($("video-drop"), $("clip"), ([file]) => this.read(file));
    $("scrub").addEventListener("input", () => this.#scrub());
    $("play").addEventListener("click", () => this.#togglePlay());
    $("halt").addEventListener("click", () => this.#end());
    $("video-clear").addEventListener("click", () => this.clear());
    $("video-landmarks").addEventListener("change", () => this.#draw());
    $("video-json").addEventListener("click", () => this.#saveJson());
    $("video-csv").addEventListener("click", () => this.#saveCsv());
    for (const kind of ["play", "pause"]) this.#video.addEventListener(kind, () => this.#arrange());
    this.#video.addEventListener("ended", () => !this.#run && this.#count && this.#showAt(this.#count - 1));
    new ResizeObserver(() => this.#draw()).observe($("video-stage"));
    document.addEventListener("tab", ({ detail }) => {
      if (detail === "video") this.#draw();
      else this.#video.pause();
    });
    document.addEventListener("language", () => this.#arrange());
  }

  /** Read `file` from its first frame to its last. */
  async read(file) {
    this.clear();
    this.#file = file;
    const run = (this.#run = {});
    try {
      await loadClip(this.#video, file);
      this.#arrange();
      this.#fps = await measureFps(this.#video);
      this.#count = Math.max(1, Math.min(Math.floor((await lengthOf(this.#video)) * this.#fps), MOST_FRAMES));
      if (run === this.#run) await this.#readFrames(run);
    } catch (error) {
      if (run !== this.#run) return;
      if (!this.#results.length) this.clear();
      alertText(t("error.video", { name: file.name }), error.message);
    }
    if (run === this.#run) this.#end();
  }

  clear() {
    this.#end();
    clearAlerts();
    this.#results = [];
    this.#count = 0;
    URL.revokeObjectURL(this.#video.src);
    this.#video.onerror = null;
    this.#video.removeAttribute("src");
    this.#people.clear();
    this.#arrange();
  }

  async #readFrames(run) {
    const stream = new FrameStream({ delivery: "every" });
    const sampler = new Sampler();
    Object.assign(run, { stream, sampler });
    stream.addEventListener("started", ({ detail }) => (this.#heads = detail.heads));
    stream.addEventListener("result", ({ detail: { result } }) => run === this.#run && this.#onResult(run, result));
    stream.addEventListener("refused", ({ detail }) => run === this.#run && this.#onRefused(detail));
    stream.addEventListener("state", ({ detail }) => {
      if (detail === "broken" || detail === "busy") { // what was not answered is sent again
        run.queue.unshift(...run.frames.values());
        run.frames.clear();
      }
      run.wake?.();
    });
    Object.assign(run, { frames: new Map(), queue: [] });
    stream.open();
    for (let index = 0; index < this.#count && run === this.#run; index += 1) {
      await seek(this.#video, Math.min((index + 0.5) / this.#fps, this.#video.duration));
      const { message } = await sampler.take(this.#video, SIDE_PX, 0.9);
      const timeNs = BigInt(Math.round(((index + 1) * 1e6) / this.#fps)) * 1000n;
      run.queue.push({ index, message, timeNs });
      await this.#flush(run);
    }
    while (run === this.#run && (run.queue.length || stream.inFlight)) {
      await this.#flush(run);
      await this.#until(run, () => run.queue.length || !stream.inFlight);
    }
  }

  async #flush(run) {
    while (run.queue.length) {
      await this.#until(run, () => run.stream.ready);
      if (run !== this.#run) return;
      const frame = run.queue.shift();
      run.frames.set(run.stream.send(frame.message, frame.timeNs), frame);
    }
  }

  /** Wait for `condition`, which results and changes of the stream's state may bring about, or for the run's end. */
  async #until(run, condition) {
    while (run === this.#run && !condition()) {
      await new Promise((resolve) => {
        run.wake = resolve;
        setTimeout(resolve, 50);
      });
    }
  }

  #onResult(run, result) {
    const { index } = run.frames.get(result.frame_id);
    run.frames.delete(result.frame_id);
    run.wake?.();
    this.#results[index] = result;
    if (run === this.#run && performance.now() - this.#drawn > 60) {
      this.#showAt(index);
    }
  }

  async #onRefused(error) {
    this.#end();
    if (error.code === "unauthenticated" && (await askForToken())) this.read(this.#file);
    else alertError(error, this.#file.name);
  }

  #end() {
    const run = this.#run;
    this.#run = undefined;
    run?.wake?.();
    run?.stream?.close();
    run?.sampler?.close();
    this.#video.pause();
    if (this.#results.length) {
      this.#count = this.#results.length;
      this.#show(Math.min(this.#index(), this.#count - 1));
      $("live").textContent = $("video-note").textContent;
    }
    this.#arrange();
  }

  #index() {
    return Number($("scrub").value);
  }

  #scrub() {
    if (this.#run) return;
    this.#video.pause();
    this.#video.currentTime = (this.#index() + 0.5) / this.#fps;
    this.#show(this.#index());
  }

  #togglePlay() {
    if (!this.#video.paused) return this.#video.pause();
    const follow = (now, { mediaTime }) => {
      if (this.#run || !this.#count) return;
      if (!this.#video.ended) this.#showAt(Math.min(Math.floor(mediaTime * this.#fps + 0.01), this.#count - 1));
      if (!this.#video.paused) this.#video.requestVideoFrameCallback(follow);
    };
    this.#video.requestVideoFrameCallback(follow);
    return this.#video.play();
  }

  #showAt(index) {
    $("scrub").value = index;
    this.#show(index);
  }

  #show(index) {
    this.#drawn = performance.now();
    const result = this.#results[index];
    if (result?.width) this.#people.show(result, index);
    this.#draw();
    this.#arrange();
  }

  #draw() {
    drawOverlay($("video-overlay"), this.#results[this.#index()], { landmarks: $("video-landmarks").checked });
    if (!$("timeline").hidden) drawBands($("bands"), this.#results, this.#count, this.#index());
  }

  #arrange() {
    const shown = Boolean(this.#video.getAttribute("src"));
    $("video-drop").hidden = shown;
    for (const id of ["video-stage", "timeline", "video-tools"]) $(id).hidden = !shown;
    $("scrub").max = Math.max(this.#count - 1, 0);
    $("scrub").disabled = Boolean(this.#run);
    const seconds = this.#index() / (this.#fps || 1);
    const clock = `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
    $("clock").textContent = clock;
    $("scrub").setAttribute("aria-valuetext", clock);
    $("halt").hidden = !this.#run;
    for (const id of ["play", "video-json", "video-csv"]) $(id).disabled = Boolean(this.#run) || !this.#results.length;
    $("play").textContent = t(this.#video.paused || this.#run ? "video.play" : "video.pause");
    const done = this.#results.reduce((sum) => sum + 1, 0);
    const key = this.#run ? "video.reading" : "video.done";
    $("video-note").textContent = shown && this.#count ? t(key, { done, all: this.#count, fps: this.#fps }) : "";
  }

  #saveJson() {
    const lines = this.#results.map((result) => jsonLine(result, this.#file.name));
    save(`${stem(this.#file.name)}.jsonl`, "application/x-ndjson", lines);
  }

  #saveCsv() {
    const table = new CsvTable(this.#heads);
    const rows = this.#results.flatMap((result) => table.rows(result, this.#file.name));
    save(`${stem(this.#file.name)}.csv`, "text/csv", [table.header(), ...rows]);
  }
}
