"""The sound of a source, copied beside an annotated clip."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, TypeAlias

import av
from av.audio.resampler import AudioResampler
from av.container import InputContainer, OutputContainer
from av.error import EOFError, FFmpegError

from ferserve.sources.locators import is_url

Packets: TypeAlias = Iterator[Any]
"""``av.Packet`` in the order of their times."""

_COPIED = frozenset(("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"))
"""Codecs that players take in MP4; others become AAC."""


class Sound:
    """The first sound track of a recording, between two times."""

    def __init__(self, source: InputContainer, start_s: float | None, end_s: float | None) -> None:
        self._source, self._start_s, self._end_s = source, start_s, end_s
        self._track: Any = source.streams.audio[0]

    def packets_for(self, container: OutputContainer) -> Packets:
        """A track in ``container``, and its packets; it must be called before anything is written."""
        if self._track.codec_context.name in _COPIED:
            return self._copied(container.add_stream_from_template(self._track))
        rate = min(self._track.rate or 48_000, 48_000)
        layout = "mono" if self._track.codec_context.channels == 1 else "stereo"
        return self._encoded(container.add_stream("aac", rate=rate, layout=layout), rate, layout)

    def _copied(self, track: Any) -> Packets:
        for packet in self._read():
            if packet.size and packet.dts is not None and self._wants(packet):
                packet.stream = track
                yield packet

    def _encoded(self, track: Any, rate: int, layout: str) -> Packets:
        resampler = AudioResampler("fltp", layout, rate, track.codec_context.frame_size or 1024)
        for packet in self._read():
            with contextlib.suppress(EOFError, FFmpegError):  # silence is better than no clip
                for frame in packet.decode():
                    if self._wants(frame):
                        yield from _encoded(track, resampler.resample(frame))
        yield from _encoded(track, resampler.resample(None))
        yield from track.encode(None)

    def _read(self) -> Iterator[Any]:
        try:
            yield from self._source.demux(self._track)
        except FFmpegError:  # the pictures of a damaged end are missing too, and that is told
            return

    def _wants(self, piece: Any) -> bool:
        if self._start_s is None and self._end_s is None:
            return True
        if piece.pts is None:
            return False
        at_s = float(piece.pts * piece.time_base)
        return (self._start_s or float("-inf")) <= at_s and (self._end_s is None or at_s < self._end_s)


def _encoded(track: Any, frames: list[Any]) -> Packets:
    for frame in frames:
        yield from track.encode(frame)


@contextlib.contextmanager
def sound_of(locator: str | None, start_s: float | None, end_s: float | None) -> Iterator[Sound | None]:
    """The sound of a file or a URL; None if there is none."""
    with contextlib.ExitStack() as files:
        try:
            if locator is None:
                source = None
            else:
                # As a file: FFmpeg would take a colon in a name for a protocol.
                opened = locator if is_url(locator) else files.enter_context(open(locator, "rb"))
                source = files.enter_context(av.open(opened, "r", metadata_errors="replace"))
        except (OSError, FFmpegError):
            source = None
        yield Sound(source, start_s, end_s) if source is not None and source.streams.audio else None
