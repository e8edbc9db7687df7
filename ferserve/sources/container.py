"""Videos as FFmpeg's libraries read them, through PyAV."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from ferserve.errors import ConfigError, SourceLostError
from ferserve.sources.arrays import raw_image
from ferserve.sources.capture_clock import CaptureClock
from ferserve.sources.clock import RecordingClock
from ferserve.sources.deinterlace import Deinterlacer
from ferserve.sources.endings import is_cut_off
from ferserve.sources.falling_behind import FallingBehind
from ferserve.sources.pixels import time_of, upright_bgr
from ferserve.types import Frame, FrameFault, FrameResult

if TYPE_CHECKING:
    from av import VideoFrame

OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 10.0
"""How long a network source may be silent."""
LIVE_READ_TIMEOUT_S = 5.0
"""The same of one that is surely live: it is opened again then."""

_NO_TIMESTAMPS = 0x80
"""FFmpeg's flag of formats without times, whose own are made up at 25 FPS."""

_UNITS_PER_S = 1_000_000
"""FFmpeg's ``AV_TIME_BASE``, in which containers tell their length."""

_MOST_FAILURES = 100
"""Reads that may fail one after the other before the rest of a container is given up."""


class VideoContainer:
    """One opened video. Frames are upright, deinterlaced BGR; what cannot be decoded is a fault in its place."""

    def __init__(
        self, file: BinaryIO | str, name: str, options: Mapping[str, str] | None = None, *, live: bool = False
    ) -> None:
        """Open a binary file, which is closed with the container, or a URL.

        ``name`` is for messages, ``options`` are FFmpeg's; ``live`` if it surely is.

        Raises :class:`ConfigError`, with FFmpeg's error as its cause.
        """
        import av
        from av.container import InputContainer
        from av.error import FFmpegError

        self._name = name
        self._file = None if isinstance(file, str) else file
        try:
            container = av.open(
                file,
                options=dict(options or {}),
                metadata_errors="replace",
                timeout=(OPEN_TIMEOUT_S, LIVE_READ_TIMEOUT_S if live else READ_TIMEOUT_S),
            )
        except (FFmpegError, OSError, ValueError) as error:
            raise ConfigError(
                f"source must be a video, an image, a camera index or a URL, got {name}: cannot be opened: "
                f"{said(error)}"
            ) from error
        assert isinstance(container, InputContainer)  # as it is read
        self._container = container
        self._stream = self._video_stream()
        if self._stream.codec_context is None:
            container.close()
            raise ConfigError(
                f"source must be a video of a known codec, got {name}: this FFmpeg cannot decode it; convert it first"
            )
        self._stream.codec_context.thread_type = "SLICE"  # threads by frame would report an error at another frame

    def _video_stream(self) -> Any:
        from av.stream import Disposition

        for stream in self._container.streams.video:
            if not stream.disposition & Disposition.attached_pic:
                return stream
        self._container.close()
        raise ConfigError(
            f"source must be a video, an image, a camera index or a URL, got {self._name}: cannot be opened: "
            "there is no video in it"
        )

    @property
    def is_picture(self) -> bool:
        """True if it is an image file."""
        return self._container.format.name.endswith(("_pipe", "image2"))

    @property
    def is_recording(self) -> bool:
        """True if the container has a length; what has none is taken for live."""
        return (self._container.duration or 0) > 0 or self._container.size > 0

    @property
    def has_times(self) -> bool:
        """False if its format has no times, and those of its frames are made up."""
        return not self._container.format.flags & _NO_TIMESTAMPS

    @property
    def time_base(self) -> Fraction:
        """Seconds per unit of its frames' times."""
        return Fraction(self._stream.time_base or Fraction(1, _UNITS_PER_S))

    @property
    def fps(self) -> Fraction | None:
        """Frames per second that the container tells or that its first frames show; None without either."""
        rate: Fraction | None = self._stream.guessed_rate or self._stream.average_rate
        return rate

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel by its height."""
        return Fraction(self._stream.sample_aspect_ratio or 1)

    @property
    def start_s(self) -> float:
        """Time of its beginning, s."""
        return (self._container.start_time or 0) / _UNITS_PER_S

    @property
    def end_s(self) -> float | None:
        """Time of its end, s; None if nothing tells."""
        duration = self._container.duration
        return None if duration is None else self.start_s + duration / _UNITS_PER_S

    def recorded(self, numbers: Iterator[int], fps: float | None) -> Iterator[Frame | FrameResult]:
        """Its frames with the recording's own time. ``fps`` is for recordings that tell no rate.

        Raises :class:`SourceLostError` if it cannot be read to its end.
        """
        clock = RecordingClock(fps or self.fps)
        good = 0
        for item in self.pictures():
            number = next(numbers)
            if isinstance(item, str):
                yield _fault(number, item)
                continue
            good += 1
            yield Frame(number, raw_image(upright_bgr(item)), clock.time_ns(time_of(item)))
        if not good:
            yield _fault(next(numbers), f"{self._name} has no frame that can be read; download or convert it first")

    def live(self, numbers: Iterator[int]) -> Iterator[Frame | FrameResult]:
        """Its frames with the time of their arrival; raises :class:`SourceLostError`."""
        arrivals = CaptureClock()
        for item in self.pictures():
            number = next(numbers)
            if isinstance(item, str):
                yield _fault(number, item)
            else:
                yield Frame(number, raw_image(upright_bgr(item)), arrivals.time_ns(None))

    def read_only_video(self) -> None:
        """For live sources: leave the other streams out, so that sound alone does not count as life."""
        from av.stream import Discard

        for stream in self._container.streams:
            if stream is not self._stream:
                stream.discard = Discard.all

    def pictures(self, behind: FallingBehind | None = None) -> Iterator[VideoFrame | str]:
        """Decoded frames of PyAV, neither turned nor converted, and a message in place of each damaged one.

        ``behind`` may skip some of a live source.

        The container is closed at the end. Raises :class:`SourceLostError` if it cannot be read to its end.
        """
        from av.error import EOFError, FFmpegError

        deinterlacer = Deinterlacer()
        expected, packets = self._expected_packets(), 0
        try:
            for packet in self._packets(behind):
                if isinstance(packet, str):
                    yield packet
                    continue
                packets += packet.size > 0
                try:
                    frames = packet.decode()
                except EOFError:
                    break
                except FFmpegError as error:
                    yield f"packet {packets} of {self._name} cannot be decoded: {error.strerror}; it is skipped"
                    continue
                for frame in frames:
                    if frame.is_corrupt:
                        yield f"packet {packets} of {self._name} is damaged, and so is its picture; it is skipped"
                    else:
                        yield from deinterlacer.push(frame)
            yield from deinterlacer.flush()
            if packets < expected:
                yield f"{self._name} must have {expected} frames, got {packets}: the end is missing; copy it again"
            elif self._is_cut_off():
                yield f"{self._name} must be as long as it says, got less: the end is missing; copy it again"
        finally:
            self.close()

    def _is_cut_off(self) -> bool:
        """Asked at the end, since it moves the file's position; nothing that cannot go back tells its length."""
        return hasattr(self._file, "seek") and is_cut_off(cast(BinaryIO, self._file), self._container.format.name)

    def close(self) -> None:
        """Close the container and its file."""
        self._container.close()
        if self._file is not None:
            self._file.close()

    def _packets(self, behind: FallingBehind | None) -> Iterator[Any]:
        from av.error import EOFError, FFmpegError, InvalidDataError

        failures = 0
        while True:
            try:
                before_s = time.monotonic()
                for packet in self._container.demux(self._stream):
                    failures = 0
                    now_s = time.monotonic()
                    if behind is None or not behind.skips(now_s - before_s, now_s, packet.is_keyframe):
                        yield packet
                    before_s = time.monotonic()
                return
            except EOFError:  # noqa: PERF203, a new reading begins after an error
                return
            except InvalidDataError as error:
                failures += 1
                if failures > _MOST_FAILURES:
                    raise SourceLostError(
                        f"source must be readable to its end, got {self._name}: {said(error)}"
                    ) from None
                yield f"{self._name} has unreadable data: {error.strerror}; it is skipped"
            except FFmpegError as error:
                reason = said(error)
                if behind is None:
                    reason = f"source must stay readable, got {self._name}: {reason}; check the file or the connection"
                raise SourceLostError(reason) from None

    def _expected_packets(self) -> int:
        """Packets that the container's index promises; 0 if it has no index."""
        kind = self._container.format.name
        if "mp4" in kind:
            return len(self._stream.index_entries)
        return int(self._stream.frames) if kind == "avi" else 0


def said(error: Exception) -> str:
    """What FFmpeg says, in words for people who do not know its inside."""
    from av.error import EOFError, ExitError

    if isinstance(error, ExitError):  # of the timeout
        return "no answer came in time"
    if isinstance(error, EOFError):
        return "the other side ended it"
    return getattr(error, "strerror", None) or str(error)


def _fault(number: int, message: str) -> FrameResult:
    return FrameResult(number, fault=FrameFault("unreadable", message))
