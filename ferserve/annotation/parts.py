"""One part of an output while it is made: its rows, and its piece of the clip."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from ferserve.analysis import open_table
from ferserve.analysis.columns import Heads
from ferserve.analysis.table_writer import TableWriter
from ferserve.annotation.clip import ClipShape, PartEncoder
from ferserve.annotation.recording import Shot
from ferserve.annotation.threads import WriteBehind
from ferserve.rendering.overlay import draw_overlay
from ferserve.types import FrameResult

_BEHIND = 8
"""Frames that may wait for the encoder."""


class PieceOfClip:
    """Draws and encodes the frames of one part; called in a thread of its own."""

    def __init__(self, shape: ClipShape | None, time_base: Fraction) -> None:
        self.shape = shape
        self._time_base = time_base
        self._encoder: PartEncoder | None = None

    def add(self, item: tuple[Shot, FrameResult]) -> None:
        """Draw a result into its frame and encode it; a frame without pixels is left out."""
        shot, result = item
        picture = shot.picture()
        if picture is None:
            return
        self.shape = self.shape or ClipShape.of(picture)
        self._encoder = self._encoder or PartEncoder(self.shape, self._time_base)
        draw_overlay(picture, result)
        self._encoder.add(picture, shot.time_ns)

    def save(self, path: Path) -> str | None:
        """Write the piece to ``path``; returns its place in the clip in s, None if it has no frame."""
        if self._encoder is None:
            return None
        path.write_bytes(self._encoder.finish())
        return str(self._encoder.start_s)


class PartWriter:
    """Takes the results of one part, in order."""

    def __init__(self, table: TableWriter, clip: WriteBehind[tuple[Shot, FrameResult]] | None, source: str) -> None:
        self._table, self._clip, self._source = table, clip, source
        self.last_frame = self.frames = self.faults = 0
        self.first_fault = ""

    def take(self, shot: Shot | None, result: FrameResult) -> None:
        """Write the rows of a result, and the frame that it is of."""
        if shot is not None:
            result = dataclasses.replace(result, capture_time_ns=shot.time_ns)
            if self._clip is not None:
                self._clip.put((shot, result))
        self._table.write(result, self._source)
        self.last_frame = result.frame_id
        self.frames += 1
        if result.fault is not None:
            self.faults += 1
            self.first_fault = self.first_fault or result.fault.message

    def counts(self) -> dict[str, Any]:
        """What was taken, in the types of JSON."""
        return {
            "last_frame": self.last_frame,
            "frames": self.frames,
            "faults": self.faults,
            "first_fault": self.first_fault,
        }


@contextlib.contextmanager
def open_part(table: Path, heads: Heads, piece: PieceOfClip | None, source: str) -> Iterator[PartWriter]:
    """Write a part; its table is whole when the block ends well."""
    with open_table(table, heads) as rows, contextlib.ExitStack() as stages:
        clip = stages.enter_context(WriteBehind(piece.add, _BEHIND)) if piece else None
        yield PartWriter(rows, clip, source)
