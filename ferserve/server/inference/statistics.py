"""What became of the requests of one model. For the event loop's thread alone."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from ferserve.inference import service_pb2 as pb
from ferserve.runtime.run_counts import RunCounts


@dataclass(slots=True)
class Stages:
    """Nanoseconds that one request spent in each stage."""

    queue_ns: int = 0
    input_ns: int = 0
    infer_ns: int = 0
    output_ns: int = 0


class RequestStatistics:
    """Counts the requests of one version of a model, from its first one on."""

    def __init__(self) -> None:
        self._success = self._fail = self._success_ns = self._fail_ns = 0
        self._sum = Stages()
        self._last_ms = 0
        self._runs: list[RunCounts] = []

    def watch(self, runs: RunCounts) -> None:
        """Count the runs of a graph to those of this model; a model that is loaded anew comes with new counts."""
        if runs not in self._runs:
            self._runs.append(runs)

    def succeeded(self, spent_ns: int, stages: Stages) -> None:
        """Count a request that was answered."""
        self._success += 1
        self._success_ns += spent_ns
        total = self._sum
        total.queue_ns += stages.queue_ns
        total.input_ns += stages.input_ns
        total.infer_ns += stages.infer_ns
        total.output_ns += stages.output_ns
        self._last_ms = time.time_ns() // 1_000_000

    def failed(self, spent_ns: int) -> None:
        """Count a request that was refused, failed, or was cancelled."""
        self._fail += 1
        self._fail_ns += spent_ns

    def to_proto(self, name: str, version: str) -> pb.ModelStatistics:
        """The counts as a message; its batches add up to its inferences and executions."""
        batches = _merged(runs.snapshot() for runs in self._runs)
        return pb.ModelStatistics(
            name=name,
            version=version,
            last_inference=self._last_ms,
            inference_count=sum(rows * count for rows, (count, _) in batches.items()),
            execution_count=sum(count for count, _ in batches.values()),
            inference_stats=self._requests(),
            batch_stats=[
                pb.InferBatchStatistics(batch_size=rows, compute_infer=_duration(count, ns))
                for rows, (count, ns) in sorted(batches.items())
            ],
        )

    def _requests(self) -> pb.InferStatistics:
        count = self._success
        return pb.InferStatistics(
            success=_duration(count, self._success_ns),
            fail=_duration(self._fail, self._fail_ns),
            queue=_duration(count, self._sum.queue_ns),
            compute_input=_duration(count, self._sum.input_ns),
            compute_infer=_duration(count, self._sum.infer_ns),
            compute_output=_duration(count, self._sum.output_ns),
        )


def _duration(count: int, ns: int) -> pb.StatisticDuration:
    return pb.StatisticDuration(count=count, ns=ns)


def _merged(parts: Iterable[dict[int, tuple[int, int]]]) -> dict[int, tuple[int, int]]:
    whole: dict[int, tuple[int, int]] = {}
    for part in parts:
        for rows, (count, ns) in part.items():
            before = whole.get(rows, (0, 0))
            whole[rows] = (before[0] + count, before[1] + ns)
    return whole
