"""A window that shows annotated frames, made with the standard library's Tk: headless OpenCV has no windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ConfigError
from ferserve.rendering.drawing import annotated
from ferserve.types import FrameResult


class FrameWindow:
    """Shows one annotated frame at a time."""

    def __init__(self) -> None:
        """Raises :class:`ConfigError` if there is no screen or no Tk."""
        try:
            import tkinter
        except ImportError:
            raise ConfigError(
                "--show must have tkinter for a window, got none; apt install python3-tk, or pass --show-in terminal"
            ) from None
        self._tk = tkinter
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise ConfigError(
                f"--show must have a screen for a window, got none ({error}); set DISPLAY, or pass --show-in terminal"
            ) from None
        self._root.protocol("WM_DELETE_WINDOW", self._on_close)
        self._label = tkinter.Label(self._root)
        self._label.pack()
        self.closed = False

    def name(self, title: str) -> None:
        """Put ``title`` over the window."""
        if not self.closed:
            self._root.title(title)

    def show(self, bgr: NDArray[np.uint8], result: FrameResult) -> None:
        """Show ``result`` drawn on a copy of ``bgr``, uint8 (H, W, 3)."""
        canvas = annotated(bgr, result)
        height, width = canvas.shape[:2]
        pixels = b"P6 %d %d 255 " % (width, height) + canvas[:, :, ::-1].tobytes()
        self._photo = self._tk.PhotoImage(data=pixels, format="PPM")  # Tk keeps no reference of its own
        self._label.configure(image=self._photo)
        self._root.update()

    def close(self) -> None:
        """Remove the window."""
        if not self.closed:
            self._on_close()

    def _on_close(self) -> None:
        self.closed = True
        self._root.destroy()
