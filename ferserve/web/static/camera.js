// The camera, live: frames to the server, results over the picture.
import { alertError, alertText, clearAlerts } from "./alerts.js";
import { askForToken } from "./api.js";
import { CameraError, listCameras, openCamera } from "./devices.js";
import { t } from "./i18n.js";
import { Meters } from "./meters.js";
import { drawOverlay } from "./overlay.js";
import { Pace } from "./pace.js";
import { People } from "./people.js";
import { Recording } from "./recording.js";
import { Sampler } from "./sampler.js";
import { FrameStream } from "./stream.js";

const NEUTRAL_MS = 1500;
const DEMO = "demo";
const NOTES = { connecting: "camera.starting", slow: "camera.slow", broken: "camera.again", busy: "camera.busy" };
const $ = (id) => document.getElementById(id);

export class Camera {
  #video = $("camera-video");
  #people = new People($("camera-people"), { live: true });
  #meters = new Meters();
  #sampler;
  #stream;
  #pace;
  #media;
  #heads;
  #recording;
  #result;
  #neutralUntil = 0;
  #starting = false;
  #demoClip;

  constructor() {
    $("consent").addEventListener("submit", (event) => {
      event.preventDefault();
      this.start($("device").value);
    });
    $("start-demo").addEventListener("click", () => this.start(DEMO));
    $("stop").addEventListener("click", () => this.stop());
    $("device").addEventListener("change", () => this.start($("device").value));
    $("neutral").addEventListener("click", () => this.#calibrate());
    $("record").addEventListener("click", () => this.#toggleRecording());
    for (const id of ["mirror", "camera-landmarks"]) $(id).addEventListener("change", () => this.#draw());
    new ResizeObserver(() => this.#draw()).observe($("camera-stage"));
    document.addEventListener("tab", ({ detail }) => detail !== "camera" && this.stop());
    document.addEventListener("language", () => this.#note());
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#listDevices());
  }

  /** The address of a video that can stand for a camera. */
  set demoClip(address) {
    this.#demoClip = address;
    $("start-demo").hidden = !address;
  }

  /** Start the camera `id`, the browser's choice if empty, in place of the one that runs. */
  async start(id) {
    if (this.#starting) return;
    this.#starting = true;
    this.stop();
    clearAlerts();
    try {
      await this.#open(id);
      this.#connect();
    } catch (error) {
      if (!(error instanceof CameraError)) throw error;
      this.stop();
      alertText(t(error.message));
    } finally {
      this.#starting = false;
    }
  }

  stop() {
    this.#stream?.close();
    this.#sampler?.close();
    if (this.#recording) this.#toggleRecording();
    for (const track of this.#media?.getTracks() ?? []) track.stop();
    this.#stream = this.#sampler = this.#media = this.#result = undefined;
    this.#video.pause();
    this.#video.srcObject = null;
    this.#video.removeAttribute("src");
    this.#people.clear();
    this.#show(false);
  }

  async #open(id) {
    if (id === DEMO) {
      this.#video.src = this.#demoClip;
      this.#video.loop = true;
    } else {
      this.#media = await openCamera(id);
      const [track] = this.#media.getVideoTracks();
      track.addEventListener("ended", () => this.#onUnplugged());
      this.#video.srcObject = this.#media;
    }
    $("mirror").checked = id !== DEMO;
    this.#show(true);
    await this.#video.play().catch(() => {
      throw new CameraError("error.inuse");
    });
    await this.#listDevices(id || this.#media.getVideoTracks()[0].getSettings().deviceId);
  }

  #connect() {
    const stream = new FrameStream({ delivery: "latest" });
    this.#stream = stream;
    this.#sampler = new Sampler();
    this.#pace = new Pace();
    this.#meters.clear();
    stream.addEventListener("state", () => this.#note());
    stream.addEventListener("started", ({ detail }) => (this.#heads = detail.heads));
    stream.addEventListener("result", ({ detail }) => stream === this.#stream && this.#onResult(detail));
    stream.addEventListener("refused", ({ detail }) => this.#onRefused(detail));
    stream.open();
    this.#await(stream);
  }

  #await(stream) {
    this.#video.requestVideoFrameCallback((now, frame) => {
      if (stream !== this.#stream) return;
      this.#await(stream);
      if (!stream.ready || this.#sampler.busy) {
        if (stream.state === "open") this.#meters.skipped += 1;
        return;
      }
      this.#send(stream, frame.captureTime ?? now);
    });
  }

  async #send(stream, takenAt) {
    const { message } = await this.#sampler.take(this.#video, this.#pace.sidePx);
    if (stream !== this.#stream) return;
    if (!stream.ready) {
      this.#meters.skipped += 1;
      return;
    }
    const timeNs = BigInt(Math.round((performance.timeOrigin + takenAt) * 1000)) * 1000n;
    stream.send(message, timeNs, performance.now() < this.#neutralUntil);
  }

  #onResult({ result, tripMs }) {
    this.#meters.note(result, tripMs, this.#stream.lost);
    if (result.dropped || result.fault) return;
    this.#pace.note(tripMs);
    this.#result = result;
    this.#draw();
    this.#people.show(result);
    if (!this.#recording) return;
    this.#recording.add(result);
    if (this.#recording.count % 10 === 0) this.#nameRecording();
    if (this.#recording.full) {
      this.#toggleRecording();
      alertText(t("camera.record.full"));
    }
  }

  async #onRefused(error) {
    const device = $("device").value;
    this.stop();
    if (error.code === "unauthenticated" && (await askForToken())) this.start(device);
    else alertError(error);
  }

  #onUnplugged() {
    this.stop();
    alertText(t("error.unplugged"));
  }

  #calibrate() {
    const button = $("neutral");
    this.#neutralUntil = performance.now() + NEUTRAL_MS;
    button.disabled = true;
    $("camera-note").textContent = t("camera.neutral.now");
    setTimeout(() => {
      button.disabled = false;
      if (this.#stream) $("camera-note").textContent = t("camera.neutral.done");
      setTimeout(() => this.#note(), 2 * NEUTRAL_MS);
    }, NEUTRAL_MS);
  }

  #toggleRecording() {
    const recording = this.#recording;
    this.#recording = recording || !this.#heads ? undefined : new Recording(this.#heads);
    if (recording?.count) recording.save();
    $("record").setAttribute("aria-pressed", String(Boolean(this.#recording)));
    this.#nameRecording();
  }

  #nameRecording() {
    const rows = this.#recording?.count;
    $("record").textContent = rows === undefined ? t("camera.record") : t("camera.recording", { rows });
  }

  #note() {
    $("camera-note").textContent = this.#stream ? t(NOTES[this.#stream.state] ?? "") : "";
    this.#nameRecording();
  }

  #draw() {
    const mirror = $("mirror").checked;
    $("camera-stage").classList.toggle("mirrored", mirror);
    drawOverlay($("camera-overlay"), this.#result, { mirror, landmarks: $("camera-landmarks").checked });
  }

  async #listDevices(chosen = $("device").value) {
    const cameras = await listCameras();
    if (this.#demoClip) cameras.push({ id: DEMO, name: t("camera.clip") });
    $("device").replaceChildren(...cameras.map(({ id, name }) => new Option(name, id, false, id === chosen)));
    $("device-field").hidden = cameras.length < 2;
  }

  #show(running) {
    $("consent").hidden = running;
    for (const id of ["camera-stage", "meters", "camera-tools"]) $(id).hidden = !running;
    if (running) $("stop").focus({ preventScroll: true });
    this.#note();
    this.#draw();
  }
}
