"""One stream of a client, which outlives the connections that carry it."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from ferserve.backoff import LONGEST_DELAY_S, ReconnectBackoff
from ferserve.client.connector import StreamConnector
from ferserve.client.feed import Feed
from ferserve.errors import FerserveError, ServerUnavailableError, StreamProtocolError
from ferserve.options import MAX_TRACK_ID
from ferserve.types import DropReason, FrameResult
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.models import labels_by_head
from ferserve.wire.results import HeadLabels, result_from_proto
from ferserve.wire.status import error_from_rpc, is_broken_connection, is_wrong_worker


class ReconnectingStream:
    """Sends the feed's frames, emits one result for each, in order, and reconnects if the connection breaks.

    Frames stay in ``_unanswered`` until their result has come; a new connection first sends them again. A frame that
    a stopping server dropped counts as unanswered, since the next server will have time for it. Each connection says
    which track ids are taken, so that a server without the tracks gives out others.
    """

    def __init__(
        self,
        connector: StreamConnector,
        feed: Feed,
        config: pb.StreamConfig,
        on_models: Callable[[Sequence[pb.Model]], None],
        emit: Callable[[FrameResult], None],
    ) -> None:
        """``on_models`` hears of the models before the first frame is pulled, and of others that take their place;
        ``emit`` of every result.
        """
        self._connector = connector
        connector.stream_id = config.stream_id
        self._feed = feed
        self._config = config
        self._on_models = on_models
        self._emit = emit
        self._labels: HeadLabels = {}
        self._unanswered: dict[int, pb.ClassifyStreamRequest | FrameResult] = {}
        """In order; a result is the fault of a frame that could not be read, and waits for its turn."""
        self._outbox: deque[pb.ClassifyStreamRequest] = deque()
        self._more = asyncio.Event()
        self._newest_id = -1
        self._exhausted = False
        self._feed_error: BaseException | None = None
        self._connected_before = False
        self._backoff = ReconnectBackoff(connector.reconnect_s)
        self._started_at: float | None = None
        self._has_tracks = config.last_track_id > 0
        self._tracks_lost = False

    async def run(self) -> BaseException | None:
        """Until every frame is answered; returns what the feed raised, raises what ended the stream for good.

        A SystemExit or a cancellation that came out of the user's iterable must not be raised in a task: it would stop
        the event loop, or pass for a cancellation of the stream.
        """
        try:
            while True:
                try:
                    if await self._run_connection():
                        break
                    error: FerserveError = ServerUnavailableError("the server ended the stream early")
                except grpc.aio.AioRpcError as rpc:
                    if is_wrong_worker(rpc):
                        await self._connector.move()
                        continue
                    error = error_from_rpc(rpc, self._connector.target)
                    broken = is_broken_connection(rpc)
                    if broken and await self._connector.leave():
                        continue
                    if not (self._connected_before and broken):
                        raise error from None
                await self._back_off(error)
        finally:
            await asyncio.gather(self._feed.close(), self._connector.close())
        return self._feed_error

    async def _back_off(self, error: FerserveError) -> None:
        if self._was_good():
            self._backoff.end()
        delay_s = self._backoff.next_delay_s()
        if delay_s is None:
            raise ServerUnavailableError(
                f"target must be a server that comes back within {self._connector.reconnect_s:g} s, "
                f"got {self._connector.target}: {error}"
            )
        await asyncio.sleep(delay_s)

    def _was_good(self) -> bool:
        """True of a connection that lasted, though nothing may have been answered on it: a camera may be idle.

        One that leaves frames without an answer has to last longer, for they may be what breaks the server.
        """
        patience_s = self._connector.reconnect_s
        enough_s = patience_s if self._unanswered else min(patience_s, LONGEST_DELAY_S)
        return self._started_at is not None and time.monotonic() - self._started_at > enough_s

    async def _run_connection(self) -> bool:
        """One connection from its config to its end; True if every frame was answered."""
        self._started_at = None
        call = self._connector.open_call()
        sender: asyncio.Task[None] | None = None
        try:
            await call.write(pb.ClassifyStreamRequest(config=self._config))
            response = await call.read()
            if response is grpc.aio.EOF:
                return False
            await self._connector.settle(call)
            self._on_started(response.started)
            sender = asyncio.ensure_future(self._send(call))
            while (response := await call.read()) is not grpc.aio.EOF:
                self._on_result(response.result)
            return self._exhausted and not self._unanswered
        except asyncio.InvalidStateError:  # grpc.aio's word for a write to a call that has ended
            await _raise_status(call)
            return False
        finally:
            call.cancel()
            if sender is not None:
                sender.cancel()
                await asyncio.wait((sender,))
                if not sender.cancelled() and (error := sender.exception()) is not None:
                    raise error

    def _on_started(self, started: pb.StreamStarted) -> None:
        self._use(started.models or [started.model])
        self._outbox = deque(r for r in self._unanswered.values() if not isinstance(r, FrameResult))
        self._more.set()
        self._started_at = time.monotonic()
        self._tracks_lost |= self._has_tracks and not started.resumed
        self._config.resume_token = started.resume_token
        if not self._connected_before:
            self._connected_before = True
            self._feed.start(self._on_frame, self._on_end)

    def _use(self, models: Sequence[pb.Model]) -> None:
        self._labels = labels_by_head(models)
        self._on_models(models)

    def _on_frame(self, request: pb.ClassifyStreamRequest | FrameResult) -> None:
        frame_id = request.frame_id if isinstance(request, FrameResult) else request.frame.frame_id
        if self._exhausted:
            return
        if frame_id <= self._newest_id:
            self._on_end(
                StreamProtocolError(
                    f"frame_id must rise within a stream, got {frame_id} after {self._newest_id}; number frames upwards"
                )
            )
            return
        self._newest_id = frame_id
        self._unanswered[frame_id] = request
        if isinstance(request, FrameResult):
            self._emit_faults()
        else:
            self._outbox.append(request)
            self._more.set()

    def _on_end(self, error: BaseException | None) -> None:
        if not self._exhausted:
            self._exhausted = True
            self._feed_error = error
            self._more.set()

    async def _send(self, call: Any) -> None:
        try:
            while True:
                while self._outbox:
                    await call.write(self._outbox.popleft())
                if self._exhausted:
                    await call.done_writing()
                    return
                self._more.clear()
                await self._more.wait()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            pass  # a failing write means a failing call: the reader gets to know why
        except Exception:
            call.cancel()  # the reader would wait for ever
            raise

    def _on_result(self, message: pb.FrameResult) -> None:
        if message.models:
            self._use(message.models)
        if message.resume_state:
            self._config.resume_state = message.resume_state
        result = result_from_proto(message, self._labels)
        if result.dropped is DropReason.SHUTDOWN and self._connector.reconnect_s:
            return
        if self._unanswered.pop(result.frame_id, None) is not None:
            self._backoff.end()
            self._connector.note_good()
            self._note_tracks(result)
            if self._tracks_lost:
                result = dataclasses.replace(result, tracks_lost=True)
                self._tracks_lost = False
            self._emit(result)
            self._emit_faults()

    def _note_tracks(self, result: FrameResult) -> None:
        """Remember, for the next connection, that there are tracks, and their largest id."""
        self._has_tracks |= result.ok
        newest = max((face.track_id for face in result.faces), default=0)
        self._config.last_track_id = min(max(self._config.last_track_id, newest), MAX_TRACK_ID)

    def _emit_faults(self) -> None:
        """Emit the faults that no frame is due before."""
        for frame_id, first in list(self._unanswered.items()):
            if not isinstance(first, FrameResult):
                return
            del self._unanswered[frame_id]
            self._emit(first)


async def _raise_status(call: Any) -> None:
    """Raise the error that ended the call, if any."""
    code = await call.code()
    if code is not grpc.StatusCode.OK:
        raise grpc.aio.AioRpcError(
            code, await call.initial_metadata(), await call.trailing_metadata(), await call.details()
        )
