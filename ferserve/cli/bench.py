"""``ferserve bench``."""

from __future__ import annotations

import dataclasses
import json
import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from ferserve.cli import flags
from ferserve.cli.connect import model_name
from ferserve.cli.help import Command, Group
from ferserve.cli.size_flag import parse_size
from ferserve.options import Delivery

if TYPE_CHECKING:
    from pathlib import Path

    from ferserve.config import Config

app = typer.Typer(help="Load a server and measure it. Needs Linux.", no_args_is_help=True, cls=Group)

Target: TypeAlias = Annotated[
    str, typer.Option(metavar="HOST:PORT|unix:PATH", help="Measure this server; without it one is started.")
]
Source: TypeAlias = Annotated[
    str, typer.Option(metavar="FILE", help="Image or video with a face; without it a drawn one.")
]
Seconds: TypeAlias = Annotated[float, typer.Option(help="How long to measure, after a warm-up.")]
RawSeconds: TypeAlias = Annotated[
    float, typer.Option(help="How long to measure the same work without a server, half before, half after; 0: not.")
]
Threads: TypeAlias = Annotated[int | None, typer.Option(help="Threads of each worker of the server that is started.")]
Workers: TypeAlias = Annotated[int | None, typer.Option(help="Workers of the server that is started.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON object.")]


class Door(Enum):
    """The protocol that is measured."""

    NATIVE = "native"
    OIP = "oip"


@app.command("streams", cls=Command)
def streams(
    cameras: Annotated[int, typer.Option(help="Live cameras, each with its own connection, stream, clock and phase.")],
    fps: Annotated[float, typer.Option(help="Frames a second of each camera.")] = 30.0,
    seconds: Seconds = 10.0,
    faces: Annotated[int, typer.Option(help="Faces in each picture.")] = 1,
    size: Annotated[str, typer.Option(metavar="WxH", help="Size of the pictures, px.")] = "640x480",
    target: Target = "",
    workers: Workers = None,
    threads: Threads = None,
    delivery: Annotated[Delivery, typer.Option(help="How the streams are delivered.")] = Delivery.LATEST,
    boxes: Annotated[bool, typer.Option("--boxes", help="Send the boxes too, so that nothing is detected.")] = False,
    late_ms: Annotated[float, typer.Option(help="Answers that took longer are counted as late.")] = 50.0,
    raw_seconds: RawSeconds = 6.0,
    source: Source = "",
    model: flags.Model = None,
    model_dir: flags.ModelDir = None,
    detector: flags.Detector = None,
    config: flags.ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Play live cameras and measure from the capture of each frame to its answer.

    The cameras do not wait: a frame falls due by the clock, and if it leaves late, that counts as latency.
    Latencies are milliseconds; CPU is in cores of all of the server's processes, the generator's is given beside it.
    """
    loaded = _load(config, workers, threads, model, model_dir, detector)
    from ferserve.bench.streams import StreamsPlan, bench_streams

    width, height = parse_size(size)
    plan = StreamsPlan(
        cameras=cameras,
        fps=fps,
        seconds=seconds,
        faces=faces,
        width=width,
        height=height,
        target=target,
        source=source,
        model=model_name(target, model),
        delivery=delivery.value,
        boxes=boxes,
        late_ms=late_ms,
        raw_seconds=raw_seconds,
    )
    _show("streams", bench_streams(plan, loaded, _say), as_json)


@app.command("crops", cls=Command)
def crops(
    outstanding: Annotated[int, typer.Option(help="Messages under way at once.")] = 32,
    batch: Annotated[int, typer.Option(help="Crops a message.")] = 1,
    seconds: Seconds = 10.0,
    target: Target = "",
    workers: Workers = None,
    threads: Threads = None,
    raw_seconds: RawSeconds = 6.0,
    source: Source = "",
    model: flags.Model = None,
    model_dir: flags.ModelDir = None,
    config: flags.ConfigFile = None,
    door: Annotated[Door, typer.Option(help="Crops in streams, or tensors in calls of ModelInfer.")] = Door.NATIVE,
    as_json: AsJson = False,
) -> None:
    """Send faces of 48x48 px that are cut out already, as fast as they are answered.

    The limit that the rate is compared with is the model alone in ONNX Runtime, on all cores.
    """
    loaded = _load(config, workers, threads, model, model_dir, detector="none")
    from ferserve.bench.crops import CropsPlan, bench_crops

    name = model_name(target, model)
    plan = CropsPlan(outstanding, batch, seconds, target, source, name, raw_seconds, door.value)
    _show("crops", bench_crops(plan, loaded, _say), as_json)


def _load(
    path: Path | None, workers: int | None, threads: int | None, model: str | None, model_dir: str | None,
    detector: str | None,
) -> Config:  # fmt: skip
    """The configuration of the server that is started."""
    return flags.load(
        path,
        server_workers=workers,
        engine_threads=threads,
        engine_model=model,
        engine_model_dir=model_dir,
        engine_detector=detector,
    )


def _say(what: str) -> None:
    if sys.stderr.isatty():
        print(f"ferserve bench: {what} …", file=sys.stderr)


def _show(name: str, report: Any, as_json: bool) -> None:
    values = dataclasses.asdict(report)
    if as_json:
        print(json.dumps(values))
        return
    from rich.table import Table

    from ferserve.cli.table import plain_console

    grid = Table(title=f"ferserve bench {name}", title_justify="left", show_header=False)
    for key, value in values.items():
        grid.add_row(key, _cell(value))
    plain_console().print(grid)


def _cell(value: Any) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, dict):
        return "  ".join(f"{key} {_cell(item)}" for key, item in value.items()) or "none"
    return f"{value:,}"
