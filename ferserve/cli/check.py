"""``ferserve check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ferserve.cli import flags

if TYPE_CHECKING:
    from ferserve.engine import Engine

RUNS = 50
"""Faces that are classified to see how long one takes."""


def command(
    model: Annotated[str, typer.Argument(help="ONNX file or name of a model; by default the bundled model.")] = (
        "auto"
    ),
    model_dir: flags.ModelDir = None,
    device: flags.Device = None,
    config: flags.ConfigFile = None,
) -> None:
    """Load a model, run it, and show what it is, what runs it, and how fast."""
    from ferserve.cli.table import model_table, plain_console
    from ferserve.engine import Engine
    from ferserve.runtime.default_model import bundled_model
    from ferserve.vision.preprocess import features

    loaded = flags.load(
        config, engine_model=model, engine_model_dir=model_dir, engine_device=device, engine_threads=1
    ).engine
    with Engine(loaded) as engine:
        table = model_table(engine.model(""))
        table.add_row("one face", _speed(engine))
    table.add_row("auto takes", bundled_model(loaded.device))
    for name, value in features().items():
        table.add_row(f"kernels: {name}", str(value))
    plain_console().print(table)


def _speed(engine: Engine) -> str:
    """Median times of one face of a noisy grey frame, ms."""
    import statistics

    import numpy as np

    from ferserve.sources.arrays import raw_image
    from ferserve.types import Frame

    luma = np.random.default_rng(0).integers(0, 256, (240, 320), np.uint8)
    frame = Frame(0, raw_image(luma), boxes=np.array([[100, 60, 220, 180]], np.float32))
    timings = [engine.classify(frame).timings for _ in range(RUNS)]
    preprocess = statistics.median(t.preprocess_ms for t in timings)
    infer = statistics.median(t.infer_ms for t in timings)
    return f"preprocess {preprocess:.3f} ms, infer {infer:.3f} ms (median of {RUNS}, one thread)"
