"""Compresses a trained run step by step and measures size, speed and accuracy of each step.

Steps of Light-FER (Pascual et al. 2022, doi:10.3390/s22239524): magnitude pruning while training, symmetric linear
quantisation, half precision; and two that speed up any runtime: channel pruning and static INT8.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ConfigError
from ferserve.models.spec import ModelSpec
from training.classification.batches import Batches
from training.classification.input_pipeline import fit
from training.classification.manifest import parts_of_run
from training.common.checkpoint import load_model, save_bare
from training.common.export import export_onnx, exported_model, read_spec
from training.common.magnitude_pruning import MagnitudePruning, prunable_kernels, pruning_ratio
from training.common.pixels import PixelRows
from training.compress.channels import prune_channels
from training.compress.linear import quantized_weights
from training.compress.post_training import to_fp16, to_int8
from training.compress.timing import ratios, time_files
from training.data.samples import Samples
from training.errors import DataError
from training.evaluation.evaluate_run import predict_file

CALIBRATION_IMAGES = 256
CHECKED_IMAGES = 32


@dataclass(frozen=True)
class CompressOptions:
    """Options of ``python -m training compress``."""

    run: Path
    """Folder of a finished run: ``model.keras`` and ``model.onnx``."""
    data: Path
    out: Path
    sparsity: float = 0.5
    """Share of the weights that magnitude pruning removes."""
    channels: float = 0.5
    """Share of the channels that structured pruning removes."""
    epochs: int = 3
    """Epochs of fine-tuning after each pruning."""
    learning_rate: float = 2e-4
    limit: int | None = None
    threads: int = 1
    seed: int = 1
    per_tensor: bool = False
    """One scale per tensor, as Light-FER's Eq. 2 has it, in the steps that quantise; else one per channel."""

    def __post_init__(self) -> None:
        for name in ("sparsity", "channels"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ConfigError(f"{name} must be from 0 to below 1, got {value}")
        for name, least in (("epochs", 0), ("limit", 1), ("threads", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"{name} must be at least {least}, got {value}")


@dataclass(frozen=True)
class Step:
    """One line of the table. Sizes in bytes; ``ratio`` is Light-FER's R (Eq. 1); ``speed`` is relative to the start."""

    name: str
    accuracy: float
    size: int
    zipped: int
    ratio: float | None
    milliseconds: float
    speed: float


class Compressor:
    """State shared by all steps: the data's parts, the uncompressed model, and the files written."""

    def __init__(self, options: CompressOptions) -> None:
        self.options = options
        self.start = exported_model(options.run)
        self.spec: ModelSpec = read_spec(self.start)
        self.recipe, self.parts = parts_of_run(options.run, options.data, options.limit)
        self._require_labels()
        self.test: Samples = next(iter(self.parts.tests.values()))
        options.out.mkdir(parents=True, exist_ok=True)
        self.files: dict[str, Path] = {}
        self.models: dict[str, Any] = {}

    def _require_labels(self) -> None:
        # In another order, fine-tuning would mix them up.
        for head in self.spec.heads:
            labels = self.parts.train.labels.get(head.name, ())
            if labels != head.labels:
                wanted = f"labels of head {head.name} must be {', '.join(head.labels)} in this order as in {self.start}"
                raise DataError(f"{self.options.data}: {wanted}, got {', '.join(labels) or 'none'}")

    def load(self) -> Any:
        """A fresh copy of the trained model."""
        return load_model(self.options.run / "model.keras")

    def tune(self, model: Any, *callbacks: Any) -> Any:
        """Fine-tune with the recipe's batches and augmentation at a low rate."""
        recipe, options = self.recipe, self.options
        losses = dict.fromkeys(self.parts.train.labels, "sparse_categorical_crossentropy")
        model.compile(
            optimizer=keras.optimizers.Adam(options.learning_rate),
            loss=losses if len(losses) > 1 else next(iter(losses.values())),
        )
        if options.epochs:
            train = Batches(self.parts.train, recipe.input, recipe.batch_size, recipe.augmentation, seed=options.seed)
            fit(model, train, callbacks, epochs=options.epochs, verbose=2)
        return model

    def keep(self, name: str, model: Any) -> None:
        """Export a step's model as ``<name>.onnx`` and ``<name>.keras``."""
        path = self.options.out / f"{name}.onnx"
        spec = replace(self.spec, name=f"{self.spec.name}-{name}", metrics={})
        export_onnx(model, path, spec, self.rows(self.test, CHECKED_IMAGES))
        save_bare(model, self.options.out / f"{name}.keras")
        self.files[name], self.models[name] = path, model

    def rows(self, samples: Samples, count: int) -> NDArray[np.float32]:
        """The first ``count`` preprocessed images."""
        return PixelRows(samples.images, self.recipe.input, 0).take(np.arange(min(count, len(samples))))

    def accuracy(self, path: Path) -> float:
        """Accuracy of a model file's first head on the test part, in [0, 1]."""
        return predict_file(path, self.spec, self.test)[self.spec.heads[0].name].accuracy


def compress(options: CompressOptions) -> list[Step]:
    """Run every step and write ``compression.json`` and ``COMPRESSION.md`` beside the files."""
    work = Compressor(options)
    work.files["start"] = work.start
    work.models["start"] = work.load()
    for step in (_magnitude, _linear, _channels):
        step(work)
    int8 = partial(to_int8, rows=work.rows(work.parts.train, CALIBRATION_IMAGES), per_tensor=options.per_tensor)
    post_training: dict[str, Callable[[Path, Path], Path]] = {"fp16": to_fp16, "int8": int8}
    for base in ("start", "channels"):
        for kind, convert in post_training.items():
            name = kind if base == "start" else f"{base}-{kind}"
            work.files[name] = convert(work.files[base], options.out / f"{name}.onnx")
    times = time_files(work.files, options.threads)
    steps = [_step(work, name, times) for name in work.files]
    (options.out / "compression.json").write_text(json.dumps([asdict(step) for step in steps], indent=1))
    (options.out / "COMPRESSION.md").write_text(table(steps))
    return steps


def _magnitude(work: Compressor) -> None:
    """Remove the smallest weights while fine-tuning; the file keeps its size, the zipped file shrinks."""
    steps = max(1, work.options.epochs) * -(-len(work.parts.train) // work.recipe.batch_size)
    pruning = MagnitudePruning(work.options.sparsity, begin=0, end=steps * 2 // 3)
    model = work.load()
    pruning.set_model(model)
    work.tune(model, pruning)
    pruning.finish()
    work.keep("magnitude", model)


def _linear(work: Compressor) -> None:
    """Round weights to eight bits and back (Eq. 2-4), to measure the cost of rounding alone."""
    model = work.load()
    for kernel in prunable_kernels(model):
        kernel.assign(quantized_weights(keras.ops.convert_to_numpy(kernel), per_tensor=work.options.per_tensor))
    work.keep("linear-8bit", model)


def _channels(work: Compressor) -> None:
    """Remove the least important channels, then fine-tune the smaller network."""
    work.keep("channels", work.tune(prune_channels(work.load(), work.options.channels)))


def _step(work: Compressor, name: str, times: dict[str, float]) -> Step:
    content = work.files[name].read_bytes()
    model = work.models.get(name)
    return Step(
        name=name,
        accuracy=work.accuracy(work.files[name]),
        size=len(content),
        zipped=len(gzip.compress(content, 6)),
        ratio=None if model is None else pruning_ratio(model),
        milliseconds=times[name],
        speed=ratios(times, "start")[name],
    )


def table(steps: list[Step]) -> str:
    """The steps as a Markdown table."""
    lines = [
        "| step | accuracy | file | zipped | R (Eq. 1) | one image | speed |",
        "|---|---|---|---|---|---|---|",
    ]
    for step in steps:
        ratio = "" if step.ratio is None else f"{step.ratio:.2f}"
        lines.append(
            f"| {step.name} | {100 * step.accuracy:.2f} % | {step.size / 1e6:.2f} MB | {step.zipped / 1e6:.2f} MB "
            f"| {ratio} | {step.milliseconds:.3f} ms | {step.speed:.2f} x |"
        )
    return "\n".join(lines) + "\n"
