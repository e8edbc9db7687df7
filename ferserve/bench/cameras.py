"""Plays live cameras: each its own connection, stream, clock and phase. Runs in a process of its own."""

from __future__ import annotations

import gc
import heapq
import random
import time
from array import array
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from ferserve.bench.live import LiveStream, open_streams
from ferserve.bench.messages import frame_request
from ferserve.bench.poller import Poller
from ferserve.errors import FerserveError
from ferserve.v1 import emotion_pb2 as pb

WARMUP_S = 2.0
"""Played before frames count: the server's first frames allocate, and so do the generator's."""
PATIENCE_S = 10.0
"""How long to wait for the last answers; what has not come by then is lost."""
_STAGES = tuple(field.name for field in pb.Timings.DESCRIPTOR.fields)


@dataclass(frozen=True)
class CameraPlan:
    """What the cameras ``numbers``, of ``total`` in all, send: ``config``, then ``bodies`` over and over."""

    target: str
    numbers: tuple[int, ...]
    total: int
    fps: float
    seconds: float
    config: bytes
    bodies: tuple[bytes, ...]


@dataclass
class CameraTally:
    """What came of the frames of one or more cameras. Times are ns."""

    sent: int = 0
    answered: int = 0
    faces: int = 0
    faults: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    """Never answered."""
    unexpected: int = 0
    """Answers to frames that were not waited for: answered twice or never sent."""
    latencies: array[int] = field(default_factory=lambda: array("q"))
    """Scheduled capture to answer, of every frame that was answered with faces or with none."""
    lags: array[int] = field(default_factory=lambda: array("q"))
    """Scheduled capture to the send: the generator's own lateness, which latency includes."""
    answered_of: dict[int, int] = field(default_factory=dict)
    """Answers by camera."""
    stages: dict[str, float] = field(default_factory=dict)
    """The server's own timings, summed over the answered frames, ms."""
    cpu_s: float = 0.0

    def add(self, other: CameraTally) -> None:
        """Count ``other`` in."""
        for name in ("sent", "answered", "faces", "faults", "lost", "unexpected", "cpu_s"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for reason, count in other.dropped.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + count
        for stage, spent_ms in other.stages.items():
            self.stages[stage] = self.stages.get(stage, 0.0) + spent_ms
        self.latencies.extend(other.latencies)
        self.lags.extend(other.lags)
        self.answered_of.update(other.answered_of)


class _Camera:
    """One stream. Frames fall due by the clock alone, not by the answers of the server."""

    def __init__(self, number: int, plan: CameraPlan, tally: CameraTally) -> None:
        self.number = number
        self._plan = plan
        self._tally = tally
        self._phase_ns = int(random.Random(number).random() * 1e9 / plan.fps)
        self._at = number * len(plan.bodies) // max(plan.total, 1)
        self._count = 0
        self._warmup = round(WARMUP_S * plan.fps)
        self._last = self._warmup + round(plan.seconds * plan.fps)
        self._waiting: dict[int, int] = {}
        self._tally.answered_of[number] = 0
        self.stream = LiveStream(plan.target, plan.config, self._on_result)

    def due_ns(self, start_ns: int) -> int | None:
        """When the next picture is taken; None after the last."""
        if self._count >= self._last:
            return None
        return start_ns + self._phase_ns + int(self._count * 1e9 / self._plan.fps)

    def take_picture(self, due_ns: int) -> None:
        """Send the frame of the instant ``due_ns``; if the stream has ended, it is lost at once."""
        bodies = self._plan.bodies
        self._count += 1
        self._waiting[self._count] = due_ns
        if not self.stream.call.ended:
            self.stream.call.send(*frame_request(self._count, due_ns, bodies[(self._at + self._count) % len(bodies)]))
        if self._count > self._warmup:
            self._tally.sent += 1
            self._tally.lags.append(time.monotonic_ns() - due_ns)

    @property
    def waiting(self) -> int:
        """Frames without an answer, as long as one can come."""
        return 0 if self.stream.call.ended else len(self._waiting)

    def _on_result(self, result: pb.FrameResult) -> None:
        now_ns = time.monotonic_ns()
        due_ns = self._waiting.pop(result.frame_id, None)
        if due_ns is None:
            self._tally.unexpected += 1
        elif result.frame_id > self._warmup:
            self._count_outcome(result, now_ns - due_ns)

    def _count_outcome(self, result: pb.FrameResult, latency_ns: int) -> None:
        tally = self._tally
        outcome = result.WhichOneof("outcome")
        if outcome == "faces":
            tally.answered += 1
            tally.answered_of[self.number] += 1
            tally.faces += len(result.faces.faces)
            tally.latencies.append(latency_ns)
            for stage in _STAGES:
                tally.stages[stage] = tally.stages.get(stage, 0.0) + getattr(result.timings, stage)
        elif outcome == "dropped":
            reason = pb.Dropped.Reason.Name(result.dropped.reason).removeprefix("REASON_").lower()
            tally.dropped[reason] = tally.dropped.get(reason, 0) + 1
        else:
            tally.faults += 1

    def give_up(self) -> None:
        """Count what was never answered."""
        self._tally.lost += sum(1 for frame_id in self._waiting if frame_id > self._warmup)


def play(plan: CameraPlan, parent: Connection) -> None:
    """Open the streams, say "ready", receive the monotonic ns to start at, play, and send the :class:`CameraTally`.

    Sends a :class:`FerserveError` instead of either if the server cannot be used.
    """
    tally = CameraTally()
    try:
        with Poller() as poller:
            cameras = [_Camera(number, plan, tally) for number in plan.numbers]
            open_streams([camera.stream for camera in cameras], poller)
            gc.freeze()
            gc.disable()  # a pause of the generator would be counted as the server's
            parent.send("ready")
            _film(cameras, poller, tally, parent.recv())
        parent.send(tally)
    except FerserveError as error:
        parent.send(error)


def _film(cameras: list[_Camera], poller: Poller, tally: CameraTally, start_ns: int) -> None:
    measured_ns = start_ns + int(WARMUP_S * 1e9)
    cpu_before: float | None = None
    agenda = [(due, i) for i, camera in enumerate(cameras) if (due := camera.due_ns(start_ns)) is not None]
    heapq.heapify(agenda)
    while agenda:
        poller.wait((agenda[0][0] - time.monotonic_ns()) / 1e9)
        now_ns = time.monotonic_ns()
        if cpu_before is None and now_ns >= measured_ns:
            cpu_before = time.process_time()
        while agenda and agenda[0][0] <= now_ns:
            due_ns, index = agenda[0]
            camera = cameras[index]
            camera.take_picture(due_ns)
            poller.watch_writes(camera.stream.call)
            next_ns = camera.due_ns(start_ns)
            heapq.heapreplace(agenda, (next_ns, index)) if next_ns is not None else heapq.heappop(agenda)
    tally.cpu_s = time.process_time() - (cpu_before or 0.0)
    _end(cameras, poller)


def _end(cameras: list[_Camera], poller: Poller) -> None:
    until = time.monotonic() + PATIENCE_S
    while any(camera.waiting for camera in cameras) and time.monotonic() < until:
        poller.wait(0.1)
    for camera in cameras:
        camera.give_up()
        if not camera.stream.call.ended and not camera.stream.call.backlogged:
            camera.stream.call.half_close()
    until = time.monotonic() + 1
    while any(not camera.stream.call.ended for camera in cameras) and time.monotonic() < until:
        poller.wait(0.05)
