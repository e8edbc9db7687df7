// Cameras: which there are, and one of them opened.
import { t } from "./i18n.js";

/** Why a camera cannot be had, as the key of a text. */
export class CameraError extends Error {}

/** Open the camera `id`, or the browser's choice; raises CameraError. */
export async function openCamera(id) {
  if (!window.isSecureContext || !navigator.mediaDevices) throw new CameraError("error.insecure");
  const size = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
  const video = id ? { ...size, deviceId: { exact: id } } : { ...size, facingMode: "user" };
  try {
    return await navigator.mediaDevices.getUserMedia({ video, audio: false });
  } catch (error) {
    const gone = ["NotFoundError", "OverconstrainedError", "DevicesNotFoundError"].includes(error.name);
    const refused = ["NotAllowedError", "SecurityError"].includes(error.name);
    throw new CameraError(gone ? "error.nocamera" : refused ? "error.refused" : "error.inuse");
  }
}

/** Cameras by id and name; names are known once one was opened. */
export async function listCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const cameras = devices.filter(({ kind, deviceId }) => kind === "videoinput" && deviceId);
  return cameras.map(({ deviceId, label }, i) => ({ id: deviceId, name: label || t("camera.nth", { n: i + 1 }) }));
}
