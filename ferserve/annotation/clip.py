"""The annotated clip: parts are encoded one by one, and joined with the sound at the end."""

from __future__ import annotations

import heapq
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import cv2
import numpy as np
from av.container import OutputContainer

from ferserve.annotation.sound import Sound
from ferserve.errors import ConfigError
from ferserve.rendering.yuv import Colors, Pixels, YuvPicture, planes_of

CODEC = "libx264"
_OPTIONS = {"preset": "ultrafast", "crf": "23", "threads": "2", "bf": "0"}
"""The number of threads changes the bytes of what x264 writes, so it must not depend on the machine."""
_MUXER = {"movie_timescale": "90000"}
"""Units per second of the place of a track, which by default is told in ms."""
_USUAL_FPS = 30


@dataclass(frozen=True)
class ClipShape:
    """What all parts of a clip share, so that they can be joined: that of its first frame."""

    width: int
    height: int
    aspect: Fraction
    colors: Colors

    @classmethod
    def of(cls, picture: YuvPicture) -> ClipShape:
        """The shape of a clip that begins with ``picture``."""
        return cls(picture.width, picture.height, picture.aspect, picture.colors)

    def to_plain(self) -> dict[str, Any]:
        """In the types of JSON."""
        return asdict(self) | {"aspect": str(self.aspect)}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> ClipShape:
        """What :meth:`to_plain` gave."""
        aspect, colors = Fraction(plain["aspect"]), Colors(**plain["colors"])
        return cls(plain["width"], plain["height"], aspect, colors)


@dataclass(frozen=True)
class ClipPart:
    """An encoded part: a file that begins at time 0, and its place in the clip."""

    path: Path
    start_s: Fraction


class SupportsWriteAndSeek(Protocol):
    """A file that PyAV can write."""

    def write(self, data: bytes, /) -> int:
        """As a binary file."""


def require_encoder() -> None:
    """Raises :class:`ConfigError` if PyAV cannot write H.264."""
    if CODEC not in av.codec.codecs_available:
        raise ConfigError(f"cannot write annotated.mp4: this PyAV has no {CODEC}; pass --no-video")


class PartEncoder:
    """Encodes one part in memory."""

    def __init__(self, shape: ClipShape, time_base: Fraction) -> None:
        self._shape, self._time_base = shape, time_base
        self._buffer = io.BytesIO()
        container = av.open(self._buffer, "w", format="mp4")
        assert isinstance(container, OutputContainer)
        self._container = container
        stream: Any = container.add_stream(CODEC, rate=_USUAL_FPS, options=dict(_OPTIONS))
        stream.width, stream.height, stream.pix_fmt = shape.width, shape.height, "yuv420p"
        stream.time_base = time_base
        self._stream = stream
        self._set_context(stream.codec_context)
        self._start: int | None = None
        self._last = 0

    @property
    def start_s(self) -> Fraction:
        """Time of the first picture, s."""
        return (self._start or 0) * self._time_base

    def _set_context(self, context: Any) -> None:
        colors = self._shape.colors
        context.time_base, context.sample_aspect_ratio = self._time_base, self._shape.aspect
        context.color_range = 2 if colors.full_range else 1
        context.colorspace, context.color_primaries, context.color_trc = (
            colors.matrix,
            colors.primaries,
            colors.transfer,
        )

    def add(self, picture: YuvPicture, time_ns: int) -> None:
        """Encode a picture of the time ``time_ns``, which rises."""
        at = round(Fraction(time_ns, 10**9) / self._time_base)
        if self._start is None:
            self._start = at
        else:
            at = max(at, self._last + 1)
        self._last = at
        frame = av.VideoFrame.from_ndarray(_fitted(picture, self._shape), format="yuv420p")
        frame.pts, frame.time_base = at - self._start, self._time_base
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> bytes:
        """The file."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._buffer.getvalue()


def _fitted(picture: YuvPicture, shape: ClipShape) -> Pixels:
    """The planes in the size of the clip: a source that changes its size is stretched to its first one."""
    if (picture.width, picture.height) == (shape.width, shape.height):
        return picture.i420
    sizes = [(shape.width, shape.height), *[(shape.width // 2, shape.height // 2)] * 2]
    planes = [cv2.resize(np.ascontiguousarray(p), s) for p, s in zip(planes_of(picture.i420), sizes, strict=True)]
    return np.concatenate([np.asarray(plane, np.uint8).reshape(-1) for plane in planes]).reshape(-1, shape.width)


def join(parts: Sequence[ClipPart], out: SupportsWriteAndSeek, sound: Sound | None) -> None:
    """Write ``parts`` to ``out`` as one MP4, with ``sound``; the times of both stay those of their source."""
    with av.open(out, "w", format="mp4", options=_MUXER) as container:
        assert isinstance(container, OutputContainer)
        with open(parts[0].path, "rb") as file, av.open(file, "r") as first:
            source: Any = first.streams.video[0]
            video: Any = container.add_stream_from_template(source)
            video.time_base = source.time_base
        tracks = [_packets_of(parts, video)]
        if sound is not None:
            tracks.append(sound.packets_for(container))
        for packet in heapq.merge(*tracks, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)


def _packets_of(parts: Sequence[ClipPart], track: Any) -> Iterator[Any]:
    for part in parts:
        with open(part.path, "rb") as file, av.open(file, "r") as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.size:  # of a part without B-frames; the muxer may have made its time base finer
                    packet.pts = packet.dts = (packet.pts or 0) + round(part.start_s / packet.time_base)
                    packet.stream = track
                    yield packet
