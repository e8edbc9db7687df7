// Frames of a <video> as messages: taken when the stream has room, encoded in a worker.

export class Sampler {
  #worker = new Worker(new URL("./encoder.js", import.meta.url));
  #waiting = new Map();
  #number = 0;

  constructor() {
    this.#worker.addEventListener("message", ({ data: { number, message } }) => {
      this.#waiting.get(number)?.(message);
      this.#waiting.delete(number);
    });
  }

  /** Whether a picture is being encoded. */
  get busy() {
    return this.#waiting.size > 0;
  }

  /** What `video` shows, as a JPEG whose longer side is at most `sidePx`, behind room for a header. */
  async take(video, sidePx, quality = 0.85) {
    const scale = Math.min(1, sidePx / Math.max(video.videoWidth, video.videoHeight));
    const width = Math.max(1, Math.round(video.videoWidth * scale));
    const height = Math.max(1, Math.round(video.videoHeight * scale));
    const number = this.#number++;
    const answer = new Promise((resolve) => this.#waiting.set(number, resolve));
    const image = await imageOf(video);
    this.#worker.postMessage({ image, width, height, quality, number }, [image]);
    return { message: await answer, width, height };
  }

  close() {
    this.#worker.terminate();
  }
}

async function imageOf(video) {
  if (typeof VideoFrame === "function") return new VideoFrame(video, { timestamp: 0 });
  return createImageBitmap(video);
}
