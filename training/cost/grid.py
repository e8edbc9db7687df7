"""Fills the cost table: every model in every framework at every precision, each cell in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ConfigError, FerserveError
from training.classification.manifest import parts_of_run
from training.classification.split import thin_out
from training.common.pixels import PixelRows
from training.cost.artifacts import Artifacts
from training.cost.cell import DEVICES, FRAMEWORKS, PRECISIONS, CannotRun, Cell, CellJob, CostError, Measurement
from training.cost.subjects import Subject, find_subjects, some_rows
from training.data.layout import load_any
from training.data.samples import Samples

CALIBRATION_ROWS = 32


@dataclass(frozen=True)
class CostOptions:
    """Options of ``python -m training cost``."""

    models: tuple[str, ...]
    out: Path
    frameworks: tuple[str, ...] = FRAMEWORKS
    precisions: tuple[str, ...] = PRECISIONS
    devices: tuple[str, ...] = ("cpu",)
    threads: int = 1
    seconds: float = 3.0
    data: Path | None = None
    limit: int = 500
    """Test images for the accuracy."""

    def __post_init__(self) -> None:
        allowed = {"frameworks": FRAMEWORKS, "precisions": PRECISIONS, "devices": DEVICES}
        for name, choices in allowed.items():
            value = getattr(self, name)
            for item in value:
                if item not in choices:
                    raise ConfigError(f"{name} must be among {', '.join(choices)}, got {item!r}")
        if not self.models:
            raise ConfigError("models must be at least one, got none")
        if self.seconds <= 0 or self.threads < 1:
            raise ConfigError(f"seconds and threads must be above 0, got {self.seconds} and {self.threads}")


def fill(options: CostOptions, tell: Callable[[Cell], None] = lambda cell: None) -> list[Cell]:
    """Measure every cell; ``tell`` is called with each as it is finished."""
    folder = options.out / "files"
    folder.mkdir(parents=True, exist_ok=True)
    cells = []
    for subject in find_subjects(list(options.models), folder):
        for cell in _cells(subject, options, folder):
            tell(cell)
            cells.append(cell)
    return cells


def require_gpu_work(cells: list[Cell]) -> None:
    """Raise :class:`CostError` if a GPU was asked for, unless at least one such cell ran and all that ran used it."""
    asked = [cell for cell in cells if cell.device == "gpu"]
    measured = [cell for cell in asked if cell.measurement is not None]
    if asked and not measured:
        reasons = sorted({cell.reason for cell in asked})
        raise CostError(f"device gpu must do work, got no cell that ran: {'; '.join(reasons)}")
    for cell in measured:
        assert cell.measurement is not None
        load = cell.measurement.gpu_load_percent
        if load is None:
            raise CostError(
                f"device gpu must do work, got no load from NVML or tegrastats in {cell.framework} {cell.precision} of "
                f"{cell.model}: whether it did is unknown; install nvidia-ml-py, or run tegrastats as root"
            )
        if not load:
            raise CostError(
                f"device gpu must do work, got 0 % load in {cell.framework} {cell.precision} of {cell.model}: "
                "it ran on the processor; check the framework's GPU build and driver"
            )


def _cells(subject: Subject, options: CostOptions, folder: Path) -> Iterator[Cell]:
    trial = _trial(subject, options, folder)
    artifacts = Artifacts(subject, folder, trial.calibration)
    for framework in options.frameworks:
        for precision in options.precisions:
            for device in options.devices:
                yield _cell((subject.name, framework, precision, device), subject, artifacts, options, trial)


def _cell(
    key: tuple[str, str, str, str], subject: Subject, artifacts: Artifacts, options: CostOptions, trial: Trial
) -> Cell:
    _, framework, precision, _ = key
    try:
        file = artifacts.file(framework, precision)
        spec = subject.spec
        job = CellJob(
            *key[1:], file, spec.input.name, trial.output, spec.input.row_shape, options.threads, options.seconds,
            trial.samples,
        )  # fmt: skip
        measurement = _in_worker(job)
    except CannotRun as error:
        return Cell(*key, reason=str(error))
    return Cell(*key, file_mb=file.stat().st_size / 1e6, measurement=measurement, note=trial.note)


@dataclass(frozen=True)
class Trial:
    """Data of a subject: rows for INT8 ranges, and test rows in an npz file if accuracy can be measured."""

    calibration: NDArray[np.float32]
    output: str
    """The graph output whose accuracy is measured."""
    samples: Path | None = None
    note: str = ""
    """Why the model cannot be judged on the data."""


def _trial(subject: Subject, options: CostOptions, folder: Path) -> Trial:
    heads, spec = subject.spec.heads, subject.spec.input
    unjudged = Trial(some_rows(subject.spec, CALIBRATION_ROWS), heads[0].output)
    if options.data is None:
        return unjudged
    try:
        train, test = _divided(subject, options.data)
    except FerserveError as error:
        return replace(unjudged, note=f"not judged: {error}")
    train = thin_out(train, CALIBRATION_ROWS, 1)
    calibration = PixelRows(train.images, spec, 0).take(np.arange(len(train)))
    judged = next((head for head in heads if head.labels == test.labels[test.head]), None)
    if not subject.trained or judged is None or not len(test):
        told = f"not judged: it tells {', '.join(heads[0].labels)}, {options.data} {', '.join(test.labels[test.head])}"
        return Trial(calibration, heads[0].output, note=told if subject.trained and judged is None else "")
    test = thin_out(test, options.limit, 1)
    file = folder / f"{subject.name}.test.npz"
    np.savez(file, rows=PixelRows(test.images, spec, 0).take(np.arange(len(test))), labels=test.targets[test.head])
    return Trial(calibration, judged.output, file)


def _divided(subject: Subject, data: Path) -> tuple[Samples, Samples]:
    """(training, test) images: as the run divided them if the model comes from one, else the set's own parts."""
    if subject.run is not None:
        _, parts = parts_of_run(subject.run, data)
        return parts.train, next(iter(parts.tests.values()))
    samples = load_any(data)
    learnt = np.isin(samples.split, ("train", ""))
    return samples.select(learnt), samples.select(~learnt & (samples.split != "validation"))


def _in_worker(job: CellJob) -> Measurement:
    environment = os.environ | {
        "OMP_NUM_THREADS": str(job.threads),
        "TF_NUM_INTRAOP_THREADS": str(job.threads),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(
        [sys.executable, "-m", "training.cost.worker"],
        input=json.dumps(job.to_json()),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CannotRun(f"it failed: {last[:160]}")
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    if "reason" in answer:
        raise CannotRun(answer["reason"])
    return Measurement(**answer["measurement"])
