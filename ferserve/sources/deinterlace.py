"""Interlaced video: two half pictures of different moments in one frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import VideoFrame
    from av.filter import Graph


class Deinterlacer:
    """Passes progressive frames through; from the first interlaced one on, all go through FFmpeg's ``bwdif``.

    The filter looks one frame ahead, so frames come out one later, in the same order and with their own times.
    """

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._layout: tuple[int, int, str] | None = None

    def push(self, frame: VideoFrame) -> list[VideoFrame]:
        """The frames that are ready after ``frame``."""
        layout = (frame.width, frame.height, frame.format.name)
        done: list[VideoFrame] = []
        if self._graph is not None and layout != self._layout:
            done = self.flush()
        if self._graph is None:
            if not frame.interlaced_frame:
                return [*done, frame]
            self._graph, self._layout = _graph_for(frame), layout
        self._graph.push(frame)
        return [*done, *_ready(self._graph)]

    def flush(self) -> list[VideoFrame]:
        """The frames that are left at the end."""
        graph, self._graph = self._graph, None
        if graph is None:
            return []
        graph.push(None)
        return _ready(graph)


def _graph_for(frame: VideoFrame) -> Graph:
    from av.filter import Graph

    graph = Graph()
    time_base = frame.time_base
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=time_base)
    graph.link_nodes(source, graph.add("bwdif", "mode=send_frame:deint=interlaced"), graph.add("buffersink"))
    graph.configure()
    return graph


def _ready(graph: Graph) -> list[VideoFrame]:
    from av.error import BlockingIOError, EOFError

    frames = []
    while True:
        try:
            frames.append(graph.vpull())
        except (BlockingIOError, EOFError):  # noqa: PERF203, this is how the filter says that it wants more
            return frames
