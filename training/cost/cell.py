"""One cell of the cost table: the measurement, or the reason why there is none."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from training.cost.probes import Usage
from training.errors import TrainingError

FRAMEWORKS = ("keras", "litert", "onnxruntime", "openvino", "tensorrt")
PRECISIONS = ("fp32", "fp16", "int8")
DEVICES = ("cpu", "gpu")


class CostError(TrainingError):
    """A measurement other than requested, such as a GPU that did no work."""

    kind = "cost"


class CannotRun(Exception):
    """This machine cannot fill a cell; the message goes into the table."""


def require_package(module: str, package: str) -> None:
    """Raise :class:`CannotRun` if ``module`` cannot be imported; ``package`` is its name on the package index."""
    if find_spec(module) is None:
        raise CannotRun(f"package {package} is not installed: pip install '.[cost]'")


@dataclass(frozen=True)
class CellJob:
    """Work of one worker process: measure one file in one framework."""

    framework: str
    precision: str
    device: str
    file: Path
    input_name: str
    output_name: str
    row_shape: tuple[int, int, int]
    threads: int
    seconds: float
    samples: Path | None = None
    """npz with ``rows`` float32 (N, *row_shape) and ``labels`` int64 (N,), for the accuracy."""

    def to_json(self) -> dict[str, Any]:
        """JSON's types only."""
        return asdict(self) | {"file": str(self.file), "samples": None if self.samples is None else str(self.samples)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> CellJob:
        """The inverse of :meth:`to_json`."""
        samples = None if value["samples"] is None else Path(value["samples"])
        paths = {"file": Path(value["file"]), "samples": samples, "row_shape": tuple(value["row_shape"])}
        return cls(**(value | paths))


@dataclass(frozen=True, kw_only=True)
class Measurement(Usage):
    """Batches of one image, one after the other. Memory is the worker's, its framework and the model included."""

    fps: float
    p50_ms: float
    p99_ms: float
    test_fps: float | None = None
    """Over the test images, if the model was judged."""
    accuracy: float | None = None


@dataclass(frozen=True)
class Cell:
    """A row of the table: the measurement, or the reason why it is missing."""

    model: str
    framework: str
    precision: str
    device: str
    file_mb: float | None = None
    measurement: Measurement | None = None
    reason: str = ""
    """Why there is no measurement."""
    note: str = ""
    """Why a measured model was not judged."""

    @property
    def kind(self) -> tuple[str, str, str]:
        """Framework, precision and device."""
        return self.framework, self.precision, self.device

    def flat(self) -> dict[str, Any]:
        """One level of keys, for CSV and JSON."""
        row = asdict(self)
        measured = row.pop("measurement") or dict.fromkeys(field.name for field in fields(Measurement))
        return {**row, **measured}
