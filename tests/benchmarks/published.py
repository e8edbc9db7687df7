"""The published works' frames per second beside the same networks and our model here.

    python -m tests.benchmarks.published --into docs/performance.md [--cost docs/cost.md]

The figures of the networks are those of ``python -m training cost ... --into docs/cost.md``, so both pages speak of the
same machine in the same hour. The table is printed, and put between the two marks of the page.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.trees import ROOT

MARKS = "<!-- works -->", "<!-- end of works -->"
COST_MARK = "<!-- cost -->\n"
OURS = "emotion-lite-int8"
COLUMNS = {
    "Keras": "keras fp32 cpu",
    "LiteRT": "litert fp32 cpu",
    "ONNX Runtime": "onnxruntime fp32 cpu",
    "ONNX Runtime, INT8": "onnxruntime int8 cpu",
}
"""Of the table, by the columns of the cost table."""


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


@dataclass(frozen=True)
class Cost:
    """``about`` says machine and versions; ``median_ms`` is by model and column."""

    about: str
    median_ms: Mapping[str, Mapping[str, float]]


def read_cost(page: Path) -> Cost:
    """The first table between the marks of the cost page; raises :class:`ValueError` if there is none."""
    _, mark, rest = page.read_text("utf-8").partition(COST_MARK)
    lines = rest.splitlines()
    rows = [line.strip("| ").split("|") for line in lines[2 : lines.index("", 2)]] if mark else []
    if len(rows) < 3 or rows[0][0].strip() != "p50 ms":
        raise ValueError(f"{page} must hold the tables of python -m training cost, got none; run it with --into {page}")
    columns = [cell.strip() for cell in rows[0][1:]]
    found = {
        row[0].strip(): {c: float(cell) for c, cell in zip(columns, row[1:], strict=False) if cell.strip()}
        for row in rows[2:]
    }
    return Cost(lines[0], found)


def table(cost: Cost) -> str:
    """Markdown."""
    heads = ("work", "network", "its machine", "FPS reported", *(f"here: {name}" for name in COLUMNS), f"{OURS} here")
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    ours = _fps(cost, OURS, COLUMNS["ONNX Runtime, INT8"])
    for w in WORKS:
        here = [_fps(cost, w.model, column) for column in COLUMNS.values()]
        lines.append(f"| {' | '.join((w.work, w.network, w.machine, f'{w.fps:g}', *here, ours))} |")
    return "\n".join(lines) + f"\n\nHere: {cost.about}\n"


def _fps(cost: Cost, model: str, column: str) -> str:
    median_ms = cost.median_ms.get(model, {}).get(column)
    return "" if median_ms is None else f"{1000 / median_ms:,.{0 if median_ms < 10 else 1}f}"


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
    parser.add_argument("--cost", type=Path, metavar="PAGE", default=ROOT / "docs" / "cost.md", help="the cost page")
    options = parser.parse_args()
    try:
        text = table(read_cost(options.cost))
        print(text)
        if options.into:
            insert(text, options.into)
    except (OSError, ValueError) as error:
        print(f"cannot make the table: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
