"""Measures one cell in a process of its own, so that memory is this cell's alone: a job in, a measurement out."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ferserve.meters.gpu import why_no_meter
from training.cost.cell import CannotRun, CellJob, Measurement
from training.cost.frameworks import Infer, open_job
from training.cost.probes import Meter, find_gpu

WARMUP_RUNS = 5
LEAST_RUNS = 20


def measure(job: CellJob) -> Measurement:
    """Run ``job`` for its seconds, one image at a time; raises :class:`CannotRun` if that is impossible."""
    gpu = find_gpu()
    if job.device == "gpu" and gpu is None:
        raise CannotRun(why_no_meter())
    before = None if gpu is None else gpu.read()
    infer = open_job(job)
    row = np.random.default_rng(1).random((1, *job.row_shape), np.float32)
    for _ in range(WARMUP_RUNS):
        infer(row)
    taken: list[float] = []
    with Meter(gpu, before=before) as meter:
        end = time.perf_counter() + job.seconds
        while len(taken) < LEAST_RUNS or time.perf_counter() < end:
            begin = time.perf_counter()
            infer(row)
            taken.append(time.perf_counter() - begin)
    p50, p99 = np.percentile(taken, (50, 99)) * 1e3
    judged = {} if job.samples is None else _judged(infer, job.samples)
    return Measurement(fps=len(taken) / sum(taken), p50_ms=p50, p99_ms=p99, **asdict(meter.usage), **judged)


def _judged(infer: Infer, samples: Path) -> dict[str, float]:
    """Accuracy, and frames per second over the test images."""
    with np.load(samples) as archive:
        rows, labels = archive["rows"], archive["labels"]
    begin = time.perf_counter()
    answers = [infer(rows[index : index + 1])[0] for index in range(len(rows))]
    fps = len(rows) / (time.perf_counter() - begin)
    return {"accuracy": float(np.mean(np.argmax(answers, axis=1) == labels)), "test_fps": fps}


def main() -> None:
    """Read a job from stdin; the last line of stdout is the answer."""
    job = CellJob.from_json(json.loads(sys.stdin.read()))
    try:
        answer = {"measurement": asdict(measure(job))}
    except CannotRun as error:
        answer = {"reason": str(error)}  # type: ignore[dict-item]
    print(json.dumps(answer, default=float))


if __name__ == "__main__":
    main()
