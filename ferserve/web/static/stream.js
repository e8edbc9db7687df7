// One stream of frames to the server, which outlives the sockets that carry it.
import { token } from "./api.js";

export const HEADER_BYTES = 16;
const IN_FLIGHT = 2;
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 4000;
const SLOW_MS = 1500;
const FOR_GOOD = new Set([1002, 1003, 1007, 1008, 1009]);

/**
 * Events: `started` (model), `result` (result, tripMs), `state` ("connecting", "open", "slow", "broken", "closed"),
 * and `refused` (error), after which it is closed. The detail of each is in `event.detail`.
 */
export class FrameStream extends EventTarget {
  #config;
  #socket;
  #sent = new Map();
  #nextId = 1;
  #delayMs = FIRST_DELAY_MS;
  #timer;
  #watch;
  #token = "";
  #lastTrackId = 0;
  #error;
  state = "closed";
  /** Frames whose answer never came, since their connection broke. */
  lost = 0;

  constructor(config) {
    super();
    this.#config = { stream_id: crypto.randomUUID?.() ?? String(Math.random()), ...config };
  }

  open() {
    this.#setState("connecting");
    const url = new URL("v1/stream", document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    url.hash = "";
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#error = undefined;
    socket.addEventListener("open", () => this.#configure());
    socket.addEventListener("message", (event) => this.#onMessage(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => socket === this.#socket && this.#onClose(event.code));
    this.#watch ??= setInterval(() => this.#checkPace(), 500);
  }

  close() {
    this.#end();
    this.#setState("closed");
  }

  /** Whether a frame may be sent now: few enough are unanswered, and none waits in this machine. */
  get ready() {
    const open = this.state === "open" || this.state === "slow";
    return open && this.#sent.size < IN_FLIGHT && this.#socket.bufferedAmount === 0;
  }

  /** Frames without an answer. */
  get inFlight() {
    return this.#sent.size;
  }

  /** Send a message of HEADER_BYTES and a picture, taken at `timeNs`; returns the frame's id. */
  send(message, timeNs, neutral = false) {
    const id = this.#nextId++;
    const header = new DataView(message, 0, HEADER_BYTES);
    header.setUint8(0, 1);
    header.setUint8(1, neutral ? 1 : 0);
    header.setUint16(2, 0);
    header.setUint32(4, id);
    header.setBigUint64(8, timeNs);
    this.#socket.send(message);
    this.#sent.set(id, performance.now());
    return id;
  }

  #configure() {
    const config = { ...this.#config, resume_token: this.#token, last_track_id: this.#lastTrackId };
    if (token()) config.token = token();
    this.#socket.send(JSON.stringify(config));
  }

  #onMessage(message) {
    if (message.type === "error") {
      this.#error = message.error;
    } else if (message.type === "started") {
      this.#token = message.resume_token;
      this.#delayMs = FIRST_DELAY_MS;
      this.#setState("open");
      this.#tell("started", message.model);
    } else {
      this.#onResult(message);
    }
  }

  #onResult(result) {
    const sentAt = this.#sent.get(result.frame_id);
    this.#sent.delete(result.frame_id);
    for (const face of result.faces) this.#lastTrackId = Math.max(this.#lastTrackId, face.track_id);
    if (this.state === "slow") this.#setState("open");
    this.#tell("result", { result, tripMs: performance.now() - (sentAt ?? performance.now()) });
  }

  #onClose(code) {
    this.lost += this.#sent.size;
    this.#sent.clear();
    if (this.state === "closed") return;
    if (FOR_GOOD.has(code)) {
      const error = this.#error ?? { code: "other", message: `the socket was closed with ${code}` };
      this.close();
      this.#tell("refused", error);
      return;
    }
    this.#setState(this.#error?.code === "overloaded" ? "busy" : "broken");
    this.#timer = setTimeout(() => this.open(), this.#delayMs);
    this.#delayMs = Math.min(2 * this.#delayMs, LONGEST_DELAY_MS);
  }

  #checkPace() {
    const [oldest] = this.#sent.values();
    if (this.state === "open" && oldest !== undefined && performance.now() - oldest > SLOW_MS) this.#setState("slow");
  }

  #end() {
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    this.#watch = undefined;
    this.#sent.clear();
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #setState(state) {
    if (state === this.state || (state === "connecting" && this.state === "broken")) return;
    this.state = state;
    this.#tell("state", state);
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}
