// A video file in this browser: its frame rate, and its frames one by one.

const PROBE_FRAMES = 12;
const PROBE_MS = 1500;
const USUAL_FPS = 25;

/** Load `file` into `video`; rejects if the browser cannot play it. */
export function loadClip(video, file) {
  return new Promise((resolve, reject) => {
    video.onloadeddata = () => (video.videoWidth ? resolve() : reject(new Error("no picture")));
    video.onerror = () => reject(new Error(video.error?.message || "cannot be played"));
    video.src = URL.createObjectURL(file);
  });
}

/** Frames per second, by the times of the first frames as they are played. */
export async function measureFps(video) {
  const times = [];
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, PROBE_MS);
    const note = (now, { mediaTime }) => {
      times.push(mediaTime);
      if (times.length >= PROBE_FRAMES) {
        clearTimeout(timer);
        resolve();
      } else video.requestVideoFrameCallback(note);
    };
    video.requestVideoFrameCallback(note);
    video.play().catch(resolve);
  });
  video.pause();
  return fpsOf(times);
}

/** The rate of frames at `times`, s; some may be missing between them. */
export function fpsOf(times) {
  const steps = times.slice(1).map((time, i) => time - times[i]).filter((step) => step > 0.004);
  if (!steps.length) return USUAL_FPS;
  const shortest = Math.min(...steps);
  const frames = steps.reduce((sum, step) => sum + Math.round(step / shortest), 0);
  return Math.round((100 * frames) / steps.reduce((sum, step) => sum + step, 0)) / 100;
}

/** Show the frame at `time`, s. */
export function seek(video, time) {
  return new Promise((resolve, reject) => {
    const done = () => {
      video.removeEventListener("seeked", done);
      video.removeEventListener("error", failed);
      resolve();
    };
    const failed = () => {
      video.removeEventListener("seeked", done);
      reject(new Error("the rest cannot be played"));
    };
    video.addEventListener("seeked", done);
    video.addEventListener("error", failed, { once: true });
    video.currentTime = time;
  });
}

/** How long the clip is, s: a recording may not tell before its end was looked for. */
export async function lengthOf(video) {
  if (!Number.isFinite(video.duration)) {
    await seek(video, 1e7);
    await seek(video, 0);
  }
  return video.duration;
}
