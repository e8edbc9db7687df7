"""``ferserve check``."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING, Annotated

import typer

from ferserve.cli import flags

if TYPE_CHECKING:
    from pathlib import Path

    from ferserve.config import EngineConfig
    from ferserve.engine import Engine
    from ferserve.runtime import Session

SELF_TEST_ROWS = 8
RUNS = 50
"""Faces that are classified to see how long one takes, at most."""
SPEED_S = 1.0
"""No further face is begun after this time."""


def command(
    model: Annotated[
        str, typer.Argument(help="ONNX file, folder of ONNX files, or name of a model; by default the bundled model.")
    ] = "auto",
    model_dir: flags.ModelDir = None,
    device: flags.Device = None,
    config: flags.ConfigFile = None,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Compare its answers with the CPU's, and fail if they differ.")
    ] = False,
) -> None:
    """Load a model, run it, and show what it is, what runs it, and how fast."""
    several = _files_of(model)
    for one in several or [model]:
        if several:
            print(f"{one}:")
        chosen = {"engine_model": one, "engine_model_dir": model_dir, "engine_device": device}
        _check(flags.load(config, engine_threads=1, **chosen).engine, self_test)


def _files_of(folder: str) -> list[str]:
    """The ONNX files of a folder with several of them; one with a single file, such as a run's, is that model."""
    files = sorted(glob.glob(os.path.join(glob.escape(folder), "*.onnx")))
    return files if len(files) > 1 else []


def _check(config: EngineConfig, self_test: bool) -> None:
    from ferserve.cli.table import model_table, plain_console
    from ferserve.engine import Engine
    from ferserve.runtime.default_model import bundled_model
    from ferserve.vision.preprocess import features

    with Engine(config) as engine:
        table = model_table(engine.model(""))
        session = engine.load("").classifier.session
        if self_test or not session.uses_cpu:  # counting loads the model once more, and a CPU leaves nothing elsewhere
            table.add_row("nodes", str(session.placement()))
        table.add_row("one face", _speed(engine))
        if self_test:
            table.add_row("self-test", _compared(engine.load("").file.path, session))
    table.add_row("auto takes", bundled_model(config.device))
    for name, value in features().items():
        table.add_row(f"kernels: {name}", str(value))
    plain_console().print(table)


def _compared(path: Path, session: Session) -> str:
    """How far its answers are from the CPU's; raises :class:`ConfigError` if a label changes."""
    import numpy as np

    from ferserve.errors import ConfigError
    from ferserve.runtime import open_session
    from ferserve.runtime.base import trial_feeds

    feeds = {name: np.repeat(rows, SELF_TEST_ROWS, axis=0) for name, rows in trial_feeds(session.inputs).items()}
    for rows in feeds.values():
        rows[:] = np.stack([np.roll(row, 7 * shift, axis=-1) for shift, row in enumerate(rows)])
    pairs = list(zip(open_session(path, "cpu").run(feeds), session.run(feeds), strict=True))
    apart = max(float(np.abs(np.subtract(expected, got, dtype=np.float64)).max()) for expected, got in pairs)
    changed = sum(int((expected.argmax(axis=-1) != got.argmax(axis=-1)).sum()) for expected, got in pairs)
    text = f"{SELF_TEST_ROWS} rows, answers differ from the CPU's by at most {apart:.2g}"
    if changed:
        raise ConfigError(f"engine.device must give the CPU's labels, got {changed} others: {text}; use another device")
    return text


def _speed(engine: Engine) -> str:
    """Median times of one face of a noisy grey frame, ms."""
    import statistics
    import time

    import numpy as np

    from ferserve.sources.arrays import raw_image
    from ferserve.types import Frame

    luma = np.random.default_rng(0).integers(0, 256, (240, 320), np.uint8)
    frame = Frame(0, raw_image(luma), boxes=np.array([[100, 60, 220, 180]], np.float32))
    until = time.monotonic() + SPEED_S
    timings = [engine.classify(frame).timings]
    while len(timings) < RUNS and time.monotonic() < until:
        timings.append(engine.classify(frame).timings)
    preprocess = statistics.median(t.preprocess_ms for t in timings)
    infer = statistics.median(t.infer_ms for t in timings)
    return f"preprocess {preprocess:.3f} ms, infer {infer:.3f} ms (median of {len(timings)}, one thread)"
