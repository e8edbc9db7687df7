"""Times model files against each other in one run, since absolute times do not hold from machine to machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from training.common.export import read_spec


def time_files(
    paths: Mapping[str, Path], threads: int = 1, rounds: int = 40, round_s: float = 0.03
) -> dict[str, float]:
    """Milliseconds per image in ONNX Runtime on the CPU, by name.

    Rounds take turns, and the best one counts: other work on the machine only ever adds to a time.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    runs = {}
    for name, path in paths.items():
        spec = read_spec(path)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        row = np.random.default_rng(1).random((1, *spec.input.row_shape), np.float32)
        feed = {spec.input.name: row}
        session.run(None, feed)
        runs[name] = (session, feed)
    times: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(rounds):
        for name, (session, feed) in runs.items():
            count, begin = 0, time.perf_counter()
            while count < 3 or time.perf_counter() - begin < round_s:
                session.run(None, feed)
                count += 1
            times[name].append((time.perf_counter() - begin) / count)
    return {name: 1e3 * min(taken) for name, taken in times.items()}


def ratios(times: Mapping[str, float], base: str) -> dict[str, float]:
    """Speed of each one relative to ``base``."""
    return {name: times[base] / taken for name, taken in times.items()}
