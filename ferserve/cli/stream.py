"""``ferserve stream``."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from ferserve.cli import exit_codes, flags
from ferserve.options import Delivery, FrameOptions, StreamOptions


def command(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Index of a camera; path or URL of a video or an image.")
    ],
    json: flags.Json = False,
    show: Annotated[bool, typer.Option("--show", help="Show the annotated frames in a window.")] = False,
    target: flags.Target = None,
    tls_ca: flags.TlsCa = None,
    model: flags.Model = None,
    detector: flags.Detector = None,
    device: flags.Device = None,
    min_score: flags.MinScore = None,
    detection_side: flags.DetectionSide = 0,
    delivery: Annotated[
        Delivery | None,
        typer.Option(help="Skip frames that come too fast, or answer every one; by default live sources skip."),
    ] = None,
    smoothing_ms: Annotated[
        float | None, typer.Option(metavar="MS", help="Time constant of the smoothing; 0 turns it off.")
    ] = None,
    config: flags.ConfigFile = None,
) -> None:
    """Find the faces in a video and say what they express, frame by frame, until it ends or Ctrl-C."""
    if json and show:
        raise typer.BadParameter("must be left out with --json, got both", param_hint="--show")
    from ferserve.cli.connect import connect, model_name
    from ferserve.cli.sinks import open_sink
    from ferserve.rendering.json import print_error
    from ferserve.sources.source import open_source

    opened = open_source(int(source) if source.isdecimal() else source)
    options = StreamOptions(
        frame=FrameOptions(model=model_name(target, model), min_score=min_score, detection_side_px=detection_side),
        delivery=delivery or (Delivery.LATEST if opened.live else Delivery.EVERY),
        smoothing_ms=smoothing_ms,
    )
    failed = interrupted = False
    with (
        open_sink(source, json=json, show=show) as sink,
        connect(target, model, detector, device, config, tls_ca) as client,
        contextlib.closing(client.stream(sink.watch(opened.frames), options)) as results,
    ):
        try:
            for result in results:
                if result.fault is not None:
                    failed = True
                    print_error(f"frame {result.frame_id}", result.fault.message)
                sink.show(result)
                if sink.closed:
                    break
        except KeyboardInterrupt:
            interrupted = not opened.live
    if failed or interrupted:
        raise typer.Exit(exit_codes.INTERRUPTED if interrupted else exit_codes.FAILED)
