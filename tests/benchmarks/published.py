"""The published works' frames per second beside the same networks and our model on this machine.

    python -m tests.benchmarks.published --into docs/performance.md [--cost runs/cost/cost.json]

Without ``--cost`` it runs ``python -m training cost`` first, some minutes. Our whole pipeline is timed by the suite's
own subject. The table is printed, and put between the two marks of the page.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.blocks import TURNS, block, plan
from tests.benchmarks.subjects import load_group
from tests.benchmarks.subjects.subject import Room

MARKS = "<!-- works -->", "<!-- end of works -->"
OURS = "emotion-lite-int8"
SECONDS = "0.8"


@dataclass(frozen=True)
class Published:
    """A figure of a work. ``model`` is the recipe that builds the same network."""

    work: str
    network: str
    machine: str
    fps: float
    model: str


WORKS = (
    Published("cost study", "VGG16", "PC, RTX 3060", 45.51, "jaffe_vgg16"),
    Published("cost study", "ResNet50", "PC, RTX 3060", 21.35, "jaffe_resnet50"),
    Published("cost study", "InceptionV3", "PC, RTX 3060", 15.84, "jaffe_inceptionv3"),
    Published("cost study", "VGG16", "Jetson TX2, its GPU at 0 %", 0.82, "jaffe_vgg16"),
    Published("cost study", "ResNet50", "Jetson TX2, its GPU at 0 %", 1.26, "jaffe_resnet50"),
    Published("cost study", "InceptionV3", "Jetson TX2, its GPU at 0 %", 0.91, "jaffe_inceptionv3"),
    Published("Light-FER", "Xception, Keras", "Jetson Nano", 2.5, "light_fer"),
    Published("Light-FER", "Xception, TFLite", "Jetson Nano", 4.85, "light_fer"),
    Published("Light-FER", "Xception, ONNX", "Jetson Nano", 5.21, "light_fer"),
    Published("Light-FER", "Xception, TensorRT FP16", "Jetson Nano", 5.51, "light_fer"),
    Published("Light-FER", "Xception", "PC", 27, "light_fer"),
)


def run_cost(folder: Path) -> Path:
    """``cost.json`` of the works' networks and the bundled models; raises ``CalledProcessError``."""
    models = ["bundled", *sorted({published.model for published in WORKS})]
    narrow = ["--frameworks", "keras,onnxruntime", "--precisions", "fp32,int8", "--seconds", SECONDS]
    subprocess.run([sys.executable, "-m", "training", "cost", *models, *narrow, "--out", str(folder)], check=True)
    return folder / "cost.json"


def speeds(cost: dict[str, Any]) -> dict[tuple[str, str, str], float]:
    """Images per second by the median image, for model, framework and precision."""
    cells = [cell for cell in cost["cells"] if cell["device"] == "cpu" and cell["p50_ms"]]
    return {(cell["model"], cell["framework"], cell["precision"]): 1000 / cell["p50_ms"] for cell in cells}


def whole_pipeline() -> float:
    """Frames per second of one thread: JPEG of 640x480 to a face with its emotion."""
    (subject,) = (subject for subject in load_group("pipeline") if subject.name == "one face")
    with Room() as room:
        call = subject.make(room).ours
        planned = plan(call)
        return 1 / statistics.median(block(call, planned) for _ in range(TURNS))


def table(cost: dict[str, Any], pipeline_fps: float) -> str:
    """Markdown."""
    found = speeds(cost)
    ours = found[OURS, "onnxruntime", "int8"]
    about = cost["about"]
    versions = ", ".join(f"{name} {about['versions'][name]}" for name in ("tensorflow", "onnxruntime"))
    head = (
        f"Here: {about['processor']}, {about['cores']} cores, {about['busy_percent']:.0f} % busy before; one thread, "
        f"images per second by the median image; {versions}. The whole way of a 640x480 JPEG to a face with its "
        f"emotion takes one thread of ours {1000 / pipeline_fps:.2f} ms: {pipeline_fps:,.0f} frames per second.\n"
    )
    columns = ("work", "network", "its machine", "FPS reported", "same network here, Keras", "ONNX Runtime")
    lines = [head, f"| {' | '.join((*columns, 'ONNX Runtime INT8', f'{OURS} here'))} |", f"|{'---|' * 8}"]
    for w in WORKS:
        keys = (("keras", "fp32"), ("onnxruntime", "fp32"), ("onnxruntime", "int8"))
        here = [_speed(found.get((w.model, *key))) for key in keys]
        lines.append(f"| {' | '.join((w.work, w.network, w.machine, f'{w.fps:g}', *here, _speed(ours)))} |")
    return "\n".join(lines) + "\n"


def _speed(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def insert(text: str, page: Path) -> None:
    """Between the marks of ``page``; raises :class:`ValueError` if it lacks them."""
    whole = page.read_text("utf-8")
    if [whole.count(f"{mark}\n") for mark in MARKS] != [1, 1]:
        raise ValueError(f"{page} must hold the lines {' and '.join(MARKS)} once each; write them there")
    before, _, rest = whole.partition(MARKS[0])
    page.write_text(f"{before}{MARKS[0]}\n{text}{MARKS[1]}{rest.partition(MARKS[1])[2]}", "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.published", description=__doc__.split("\n")[0])
    parser.add_argument("--into", type=Path, metavar="PAGE", help="put the table into this page")
    parser.add_argument("--cost", type=Path, metavar="FILE", help="cost.json of an earlier python -m training cost")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            cost = json.loads((options.cost or run_cost(Path(folder))).read_text("utf-8"))
        text = table(cost, whole_pipeline())
        print(text)
        if options.into:
            insert(text, options.into)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"cannot make the table: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
