"""``ferserve stream``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ferserve.cli import exit_codes, flags
from ferserve.options import Delivery, FrameOptions, StreamOptions

if TYPE_CHECKING:
    from ferserve.cli.sinks import Sink
    from ferserve.types import FrameResult


Source: TypeAlias = Annotated[
    str, typer.Argument(metavar="SOURCE", help="Index of a camera; path or URL of a video or an image.")
]
Show: TypeAlias = Annotated[bool, typer.Option("--show", help="Show the annotated frames in a window.")]
DeliveryFlag: TypeAlias = Annotated[
    Delivery | None,
    typer.Option(help="Skip frames that come too fast, or answer every one; by default live sources skip."),
]
SmoothingMs: TypeAlias = Annotated[
    float | None, typer.Option(metavar="MS", help="Time constant of the smoothing; 0 turns it off.")
]


def command(
    source: Source,
    json: flags.Json = False,
    show: Show = False,
    target: flags.Target = None,
    tls_ca: flags.TlsCa = None,
    model: flags.Model = None,
    detector: flags.Detector = None,
    device: flags.Device = None,
    min_score: flags.MinScore = None,
    detection_side: flags.DetectionSide = 0,
    delivery: DeliveryFlag = None,
    smoothing_ms: SmoothingMs = None,
    config: flags.ConfigFile = None,
) -> None:
    """Find the faces in a video and say what they express, frame by frame, until it ends or Ctrl-C."""
    if json and show:
        raise typer.BadParameter("must be left out with --json, got both", param_hint="--show")
    from ferserve.cli.connect import connect, model_name
    from ferserve.cli.sinks import open_sink
    from ferserve.sources.source import open_source

    opened = open_source(int(source) if source.isdecimal() else source)
    options = StreamOptions(
        frame=FrameOptions(model=model_name(target, model), min_score=min_score, detection_side_px=detection_side),
        delivery=delivery or (Delivery.LATEST if opened.live else Delivery.EVERY),
        smoothing_ms=smoothing_ms,
    )
    with (
        open_sink(source, json=json, show=show) as sink,
        connect(target, model, detector, device, config, tls_ca) as client,
        contextlib.closing(client.stream(sink.watch(opened.frames), options)) as results,
    ):
        failed, interrupted = _show_all(results, sink)
    if interrupted and not opened.live:
        raise typer.Exit(exit_codes.INTERRUPTED)
    if failed:
        raise typer.Exit(exit_codes.FAILED)


def _show_all(results: Iterable[FrameResult], sink: Sink) -> tuple[bool, bool]:
    """Show results until they end; returns whether a frame was at fault, and whether Ctrl-C ended it."""
    from ferserve.rendering.json import print_error

    failed = False
    try:
        for result in results:
            if result.fault is not None:
                failed = True
                print_error(f"frame {result.frame_id}", result.fault.message)
            sink.show(result)
            if sink.closed:
                break
    except KeyboardInterrupt:
        return failed, True
    return failed, False
