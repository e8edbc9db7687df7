"""Where the processor time of a process goes: samples of its threads, as speedscope opens them."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, TextIO, TypeAlias

from ferserve._version import __version__
from ferserve.errors import ConfigError, FerserveError

_PERIOD_S = 0.01
_MOST_STACKS = 20_000
_DEEPEST = 128
_SCHEMA = "https://www.speedscope.app/file-format-schema.json"

_Frame: TypeAlias = tuple[str, str, int]
"""Function, file, and first line."""
_Stack: TypeAlias = tuple[_Frame, ...]
_OTHER_STACKS: _Stack = (("(further stacks)", "", 0),)
_NATIVE: _Stack = (("(threads without Python: gRPC, ONNX Runtime)", "", 0),)


class Profiler:
    """Looks at all threads a hundred times a second, and weighs each stack with the processor time that its thread has
    used since: a thread that waits weighs nothing. Costs about one hundredth of a core.
    """

    def __init__(self) -> None:
        self._spent_ns: Counter[tuple[str, _Stack]] = Counter()
        self._seen_ns: dict[int, int] = {}
        self._began_ns = time.process_time_ns()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._sample_all, name="ferserve-profiler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._ending.set()
        self._thread.join()

    def _sample_all(self) -> None:
        while not self._ending.wait(_PERIOD_S):
            frames = sys._current_frames()
            for thread in threading.enumerate():
                if thread.ident in frames and thread.native_id is not None and thread is not self._thread:
                    self._sample(thread.name, thread.native_id, frames[thread.ident])

    def _sample(self, name: str, native_id: int, frame: FrameType) -> None:
        with contextlib.suppress(OSError, ValueError, IndexError):  # it has ended
            used_ns = int(Path(f"/proc/self/task/{native_id}/schedstat").read_text().split()[0])
            spent_ns = used_ns - self._seen_ns.get(native_id, used_ns)
            self._seen_ns[native_id] = used_ns
            if spent_ns > 0:
                key = (name, _stack_of(frame))
                known = key in self._spent_ns or len(self._spent_ns) < _MOST_STACKS
                self._spent_ns[key if known else (name, _OTHER_STACKS)] += spent_ns

    def to_speedscope(self) -> dict[str, Any]:
        """One profile per thread, and one for what the threads without Python have used."""
        spent = dict(self._spent_ns)
        rest_ns = time.process_time_ns() - self._began_ns - sum(spent.values())
        if rest_ns > 0:
            spent["native", _NATIVE] = rest_ns
        frames: dict[_Frame, int] = {}
        by_thread: dict[str, list[tuple[list[int], int]]] = {}
        for (name, stack), weight_ns in spent.items():
            numbers = [frames.setdefault(frame, len(frames)) for frame in stack]
            by_thread.setdefault(name, []).append((numbers, weight_ns))
        return {
            "$schema": _SCHEMA,
            "exporter": f"ferserve {__version__}",
            "name": "processor time of ferserve",
            "activeProfileIndex": 0,
            "shared": {"frames": [{"name": name, "file": file, "line": line} for name, file, line in frames]},
            "profiles": [
                _profile(name, stacks) for name, stacks in sorted(by_thread.items(), key=_weight, reverse=True)
            ],
        }


def _stack_of(frame: FrameType | None) -> _Stack:
    """From the outermost call to the innermost."""
    stack: list[_Frame] = []
    while frame is not None and len(stack) < _DEEPEST:
        code = frame.f_code
        stack.append((code.co_name, code.co_filename, code.co_firstlineno))
        frame = frame.f_back
    return tuple(reversed(stack))


def _weight(of_thread: tuple[str, list[tuple[list[int], int]]]) -> int:
    return sum(weight_ns for _, weight_ns in of_thread[1])


def _profile(name: str, stacks: list[tuple[list[int], int]]) -> dict[str, Any]:
    return {
        "type": "sampled",
        "name": name,
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": sum(weight_ns for _, weight_ns in stacks),
        "samples": [numbers for numbers, _ in stacks],
        "weights": [weight_ns for _, weight_ns in stacks],
    }


@contextlib.contextmanager
def profiled(file: str) -> Iterator[None]:
    """Profile what runs inside, and write it to ``file`` at the end; nothing for an empty name.

    Raises :class:`ConfigError` at once if the file cannot be written to, and :class:`FerserveError` if it cannot at the
    end.
    """
    if not file:
        yield
        return
    try:
        sink = open(file, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process serves
    except OSError as error:
        raise ConfigError(
            f"server.profile must be a file that can be written to, got {file}: {error.strerror}"
        ) from None
    profiler = Profiler()
    try:
        yield
    finally:
        profiler.stop()
    _write(profiler, sink, file)


def _write(profiler: Profiler, sink: TextIO, file: str) -> None:
    try:
        with sink:
            json.dump(profiler.to_speedscope(), sink)
    except OSError as error:
        raise FerserveError(f"cannot write the profile {file}: {error.strerror}; choose a disk with room") from None
