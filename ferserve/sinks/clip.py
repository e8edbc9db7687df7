"""Frames with their results drawn into them, as a video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import cv2
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray

from ferserve.errors import ConfigError
from ferserve.rendering.drawing import draw_into, frame_pixels
from ferserve.sinks.frames_by_id import FramesById
from ferserve.sinks.output_file import open_output, write_all
from ferserve.sinks.sink import Sink
from ferserve.types import Frame, FrameResult

_CODEC = "libx264"
_FORMATS = {".mp4": "mp4", ".mkv": "matroska"}
_TIME_BASE = Fraction(1, 90_000)
_USUAL_FPS = 30
_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
"""Each second of an MP4 is whole by itself: what a process has written before it was killed can be played."""
_ENCODER = {"preset": "ultrafast", "tune": "zerolatency", "crf": "23"}


class ClipSink(Sink):
    """Writes the frames that were classified, at the times of their capture; outages become still pictures.

    Frames of another size than the first are scaled to it; a second source follows the first.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        """Raises :class:`ConfigError` if the file cannot be made or its suffix is unknown."""
        if path.suffix.lower() not in _FORMATS:
            raise ConfigError(f"--save must be a name with {' or '.join(_FORMATS)}, got {str(path)!r}")
        if _CODEC not in av.codec.codecs_available:
            raise ConfigError(f"--save must have an encoder for H.264, got a PyAV without {_CODEC}; pip install av")
        self._file = open_output(path, "--save", overwrite=overwrite)
        self._format = _FORMATS[path.suffix.lower()]
        self._frames = FramesById()
        self._container: OutputContainer | None = None
        self._origin_ns: int | None = None
        self._last = -1

    def start(self, source: str) -> None:
        """See :class:`Sink`."""
        self._frames.clear()
        self._origin_ns = None

    def frame(self, source: str, frame: Frame) -> None:
        """See :class:`Sink`."""
        self._frames.add(frame)

    def result(self, source: str, result: FrameResult) -> None:
        """See :class:`Sink`."""
        frame = self._frames.take(result)
        if frame is None or not result.ok or (bgr := frame_pixels(frame)) is None:
            return
        canvas = np.ascontiguousarray(bgr).copy()
        draw_into(canvas, result)
        self._write(canvas, frame.capture_time_ns)

    def close(self) -> None:
        """See :class:`Sink`."""
        try:
            if self._container is not None:
                self._container.mux(self._stream.encode(None))
                self._container.close()
        finally:
            self._container = None
            self._file.close()

    def _write(self, bgr: NDArray[np.uint8], time_ns: int) -> None:
        if self._container is None:
            self._open(bgr.shape[1] & ~1 or 2, bgr.shape[0] & ~1 or 2)
        if self._origin_ns is None:
            self._origin_ns = time_ns - round((self._last + 1) * _TIME_BASE * 10**9)
        at = max(round(Fraction(time_ns - self._origin_ns, 10**9) / _TIME_BASE), self._last + 1)
        self._last = at
        if (bgr.shape[1], bgr.shape[0]) != self._size:
            bgr = np.asarray(cv2.resize(bgr, self._size, interpolation=cv2.INTER_AREA), np.uint8)
        picture = av.VideoFrame.from_ndarray(bgr, format="bgr24")
        picture.pts, picture.time_base = at, _TIME_BASE
        assert self._container is not None
        self._container.mux(self._stream.encode(picture))

    def _open(self, width: int, height: int) -> None:
        self._size = (width, height)
        options = _FRAGMENTS if self._format == "mp4" else {}
        container = av.open(_Unseekable(self._file), "w", format=self._format, options=options)
        assert isinstance(container, OutputContainer)
        self._container = container
        stream: Any = container.add_stream(_CODEC, rate=_USUAL_FPS, options=_ENCODER)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = _TIME_BASE
        stream.codec_context.gop_size = _USUAL_FPS
        self._stream = stream


class _Unseekable:
    """A file that is written from front to end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        """Write all of ``data``."""
        write_all(self._file, data)
        return len(data)
