"""The numbers of all processes as Prometheus reads them."""

from __future__ import annotations

import functools
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric

from ferserve._version import __version__
from ferserve.meters.gpu import MIB, GpuMeter, GpuReading
from ferserve.server.telemetry import catalogue as c
from ferserve.server.telemetry.families import Family, Layout
from ferserve.server.telemetry.page import Page, summed

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_OF_GPU: Mapping[Family, Callable[[GpuReading], float | None]] = {
    c.GPU_LOAD: lambda gpu: None if gpu.load_percent is None else gpu.load_percent / 100,
    c.GPU_MEMORY: lambda gpu: None if gpu.memory_mib is None else gpu.memory_mib * MIB,
    c.GPU_MEMORY_TOTAL: lambda gpu: None if gpu.memory_total_mib is None else gpu.memory_total_mib * MIB,
    c.GPU_POWER: lambda gpu: gpu.power_w,
}


class Exposition:
    """Sums the pages of all processes. A collector of ``prometheus_client``."""

    def __init__(
        self,
        pages: Sequence[Page],
        workers: int,
        refresh: Callable[[], None],
        runs_on: str = "",
        gpus: Sequence[GpuMeter] = (),
    ) -> None:
        """The first ``workers`` pages are those of workers; ``refresh`` is called before each look at them."""
        self._gpus = gpus
        self._pages, self._workers, self._refresh = pages, workers, refresh
        self._started = time.time()
        self.runs_on = runs_on
        """What the engine runs on, as soon as it is known."""

    def text(self) -> bytes:
        """All metrics in Prometheus' text format 0.0.4; from any thread."""
        self._refresh()
        text = generate_latest(self)
        for family in (*c.BY_MODEL, c.FAILURE):  # the library insists on a suffix, Triton's names have none
            text = text.replace(f" {family.name}_total ".encode(), f" {family.name} ".encode())
        return text

    def collect(self) -> Iterator[Metric]:
        """One ``Metric`` per family."""
        yield from self._infos()
        numbers = summed(self._pages)
        for family in c.FAMILIES:
            if family is not c.STARTS:
                yield _metric(family, c.LAYOUT, numbers, 0, {})
        for source, family in c.WORKERS:
            metric = _head(family)
            for index, page in enumerate(self._pages[: self._workers]):
                metric.add_sample(family.name, {"worker": str(index)}, page.numbers[c.LAYOUT.place(source)])
            yield metric
        yield from self._by_model()
        yield from self._by_gpu()

    def _infos(self) -> Iterator[Metric]:
        yield _info(c.BUILD, [_versions()])
        yield _info(c.ENGINE, [{"runs_on": self.runs_on}])
        known = {(m.model, m.version): m for page in self._pages for m in page.models() if m.runs_on}
        labels = [
            {"model": m.model, "version": m.version, "runs_on": m.runs_on, "sha256": m.sha256} for m in known.values()
        ]
        yield _info(c.MODEL, labels)
        started = _head(c.STARTED)
        started.add_sample(c.STARTED.name, {}, self._started)
        yield started

    def _by_model(self) -> Iterator[Metric]:
        sums: dict[tuple[str, str], list[float]] = {}
        for page in self._pages:
            for index, known in enumerate(page.models()):
                total = sums.setdefault((known.model, known.version), [0.0] * c.MODEL_LAYOUT.size)
                start = Page.model_at(index)
                for offset in range(c.MODEL_LAYOUT.size):
                    total[offset] += page.numbers[start + offset]
        for family in c.BY_MODEL:
            metric = _head(family)
            for (model, version_), total in sums.items():
                labels = {"model": model, "version": version_}
                metric.add_sample(family.name, labels, total[c.MODEL_LAYOUT.place(family)])
            yield metric

    def _by_gpu(self) -> Iterator[Metric]:
        readings = [gpu.read() for gpu in self._gpus]
        for family, value in _OF_GPU.items() if readings else ():
            metric = _head(family)
            for reading in readings:
                if (number := value(reading)) is not None:
                    metric.add_sample(family.name, {"gpu_uuid": reading.name}, number)
            yield metric


def _metric(family: Family, layout: Layout, numbers: Sequence[float], offset: int, more: dict[str, str]) -> Metric:
    metric = _head(family)
    for values, start in layout.series(family):
        labels = dict(zip(family.labels, values, strict=True)) | more
        if family.kind == "histogram":
            _add_histogram(metric, family, labels, numbers[offset + start : offset + start + family.numbers])
        else:
            metric.add_sample(family.name, labels, numbers[offset + start])
    return metric


def _head(family: Family) -> Metric:
    return Metric(family.name.removesuffix("_total"), family.help, family.kind)  # the library adds it again


def _add_histogram(metric: Metric, family: Family, labels: dict[str, str], numbers: Sequence[float]) -> None:
    """Prometheus counts up from bucket to bucket, and calls the last one infinity."""
    total = 0.0
    for bound, count in zip((*map(repr, map(float, family.buckets)), "+Inf"), numbers, strict=False):
        total += count
        metric.add_sample(f"{family.name}_bucket", {**labels, "le": bound}, total)
    metric.add_sample(f"{family.name}_count", labels, total)
    metric.add_sample(f"{family.name}_sum", labels, numbers[-1])


def _info(family: Family, labels: Sequence[dict[str, str]]) -> Metric:
    metric = _head(family)
    for of_one in labels:
        metric.add_sample(family.name, of_one, 1)
    return metric


@functools.cache
def _versions() -> dict[str, str]:
    return {
        "version": __version__,
        "python": platform.python_version(),
        "grpc": _version("grpcio"),
        "onnxruntime": _version("onnxruntime") or _version("onnxruntime-gpu"),
    }


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
