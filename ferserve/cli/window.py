"""A window with the frames and what was found in them, drawn with the standard library's Tk.

The headless OpenCV that ferserve depends on has no windows.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ConfigError
from ferserve.rendering.json import label_text
from ferserve.types import EncodedImage, Frame, FrameResult, PixelFormat, RawImage

_GREEN = (80, 220, 80)
_BLACK = (0, 0, 0)


class FrameWindow:
    """Shows one annotated frame at a time."""

    def __init__(self, title: str) -> None:
        """Raises :class:`ConfigError` where there is no screen, or Python came without Tk."""
        try:
            import tkinter
        except ImportError:
            raise ConfigError("--show must have Python's tkinter, got none; install it, or leave --show out") from None
        self._tk = tkinter
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise ConfigError(f"--show must have a screen, got none ({error}); leave it out here") from None
        self._root.title(title)
        self._root.protocol("WM_DELETE_WINDOW", self._on_close)
        self._label = tkinter.Label(self._root)
        self._label.pack()
        self.closed = False

    def show(self, bgr: NDArray[np.uint8], result: FrameResult) -> None:
        """Draw ``result`` on a copy of ``bgr``, uint8 (H, W, 3)."""
        canvas = annotated(bgr, result)
        height, width = canvas.shape[:2]
        pixels = b"P6 %d %d 255 " % (width, height) + canvas[:, :, ::-1].tobytes()
        self._photo = self._tk.PhotoImage(data=pixels, format="PPM")  # Tk keeps no reference of its own
        self._label.configure(image=self._photo)
        self._root.update()

    def close(self) -> None:
        """Take the window away."""
        if not self.closed:
            self._on_close()

    def _on_close(self) -> None:
        self.closed = True
        self._root.destroy()


def annotated(bgr: NDArray[np.uint8], result: FrameResult) -> NDArray[np.uint8]:
    """A copy of ``bgr``, uint8 (H, W, 3), with each face's box and emotion."""
    canvas = bgr.copy()
    for face in result.faces:
        x0, y0, x1, y1 = (round(edge) for edge in face.box)
        cv2.rectangle(canvas, (x0, y0), (x1, y1), _GREEN, 2)
        words = f"#{face.track_id} {label_text(face)} {face.confidence:.2f}"
        for color, thickness in ((_BLACK, 3), (_GREEN, 1)):  # an outline, so that it can be read on any picture
            at = (x0, max(y0 - 6, 12))
            cv2.putText(canvas, words, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, color, thickness, cv2.LINE_AA)
    return canvas


def bgr_of(frame: Frame) -> NDArray[np.uint8] | None:
    """The pixels of a frame that a source made, uint8 (H, W, 3); None where it cannot be read."""
    payload = frame.payload
    if isinstance(payload, EncodedImage):
        decoded = cv2.imdecode(np.frombuffer(payload.data, np.uint8), cv2.IMREAD_COLOR)
        return None if decoded is None else np.asarray(decoded, np.uint8)
    if isinstance(payload, RawImage) and payload.pixel_format is PixelFormat.BGR24:
        return np.asarray(payload.data, np.uint8)
    return None
