"""``ferserve stream``."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from ferserve.cli import flags
from ferserve.options import Delivery, FrameOptions, StreamOptions


def command(
    source: Annotated[str, typer.Argument(help="Index of a camera, a video or image file, or a URL.")],
    json: flags.Json = False,
    show: Annotated[bool, typer.Option("--show", help="Show the frames in a window.")] = False,
    target: flags.Target = None,
    tls_ca: flags.TlsCa = None,
    model: flags.Model = None,
    detector: flags.Detector = None,
    min_score: flags.MinScore = None,
    detection_side: flags.DetectionSide = 0,
    delivery: Annotated[
        Delivery | None, typer.Option(help="Skip frames that come too fast, or take every one; live sources skip.")
    ] = None,
    smoothing_ms: Annotated[float | None, typer.Option(help="Time constant of the smoothing, ms; 0: none.")] = None,
    config: flags.ConfigFile = None,
) -> None:
    """Say what the faces in a video express, frame by frame, until it ends or Ctrl-C."""
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
    faults = 0
    with (
        open_sink(source, json=json, show=show) as sink,
        connect(target, model, detector, config, tls_ca) as client,
        contextlib.closing(client.stream(sink.watch(opened.frames), options)) as results,
        contextlib.suppress(KeyboardInterrupt),
    ):
        for result in results:
            if result.fault is not None:
                faults += 1
                print_error(f"frame {result.frame_id}", result.fault.message)
            sink.show(result)
            if sink.closed:
                break
    if faults:
        raise typer.Exit(1)
