"""``ferserve stream``."""

from __future__ import annotations

import contextlib
import math
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ferserve.cli import exit_codes, flags
from ferserve.options import Delivery, FrameOptions, StreamOptions

if TYPE_CHECKING:
    from ferserve.cli.inputs import Input
    from ferserve.client import Client
    from ferserve.local import LocalClient
    from ferserve.sinks.sink import Sink
    from ferserve.sources.source import FrameSource
    from ferserve.sources.status import SourceStatus


Sources: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Videos, one after the other: index of a camera, files, folders, patterns such as 'clips/*.mp4', URLs; "
        "- for the standard input.",
    ),
]
Show: TypeAlias = Annotated[
    bool, typer.Option("--show", help="Show the annotated frames: in a window, or without a screen in the terminal.")
]


class Place(str, Enum):
    """Where frames are shown."""

    AUTO = "auto"
    WINDOW = "window"
    TERMINAL = "terminal"


ShowIn: TypeAlias = Annotated[Place | None, typer.Option(help="Like --show, in a place of your choice.")]
Csv: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write a row per face into this CSV file too.")
]
Save: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Save the annotated frames as a video too, .mp4 or .mkv.")
]
Mqtt: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="mqtt://HOST/TOPIC", help="Publish each result as JSON to this broker too; mqtts:// by TLS."),
]
Overwrite: TypeAlias = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]
DeliveryFlag: TypeAlias = Annotated[
    Delivery | None,
    typer.Option(help="Skip frames that come too fast, or answer every one; by default live sources skip."),
]
SmoothingMs: TypeAlias = Annotated[
    float | None, typer.Option(metavar="MS", help="Time constant of the smoothing; 0 turns it off.")
]

ReconnectS: TypeAlias = Annotated[
    float,
    typer.Option(metavar="S", min=0, help="How long a live source may be away before it is given up; inf for ever."),
]


def command(
    sources: Sources,
    recursive: flags.Recursive = False,
    json: flags.Json = False,
    show: Show = False,
    show_in: ShowIn = None,
    csv: Csv = None,
    save: Save = None,
    mqtt: Mqtt = None,
    overwrite: Overwrite = False,
    target: flags.Target = None,
    tls_ca: flags.TlsCa = None,
    model: flags.Models = None,
    detector: flags.Detector = None,
    device: flags.Device = None,
    min_score: flags.MinScore = None,
    detection_side: flags.DetectionSide = 0,
    delivery: DeliveryFlag = None,
    smoothing_ms: SmoothingMs = None,
    reconnect_s: ReconnectS = math.inf,
    config: flags.ConfigFile = None,
) -> None:
    """Find the faces in videos and say what they express, frame by frame, until they end or Ctrl-C."""
    from ferserve.cli.connect import connect
    from ferserve.cli.inputs import expand
    from ferserve.cli.outputs import Outputs

    frame = _frame_options(target, model, min_score, detection_side)
    options = StreamOptions(frame=frame, delivery=delivery, smoothing_ms=smoothing_ms)
    outputs = Outputs.of(csv, save, mqtt, overwrite)
    inputs = expand(sources, "video", recursive)
    with (
        _display(json, show, show_in, len(inputs) > 1) as shown,
        connect(target, model, detector, device, config, tls_ca) as client,
        outputs.opened(shown, client, frame) as sink,
    ):
        code = _stream_all(client, inputs, options, sink, reconnect_s)
    code = max(code, exit_codes.FAILED) if sink.failed else code
    if code:
        raise typer.Exit(code)


def _frame_options(target: str | None, model: str | None, min_score: float | None, detection_side: int) -> FrameOptions:
    from ferserve.cli.connect import asked_models

    one, several = asked_models(target, model)
    return FrameOptions(one, min_score, detection_side_px=detection_side, models=several)


def _display(json: bool, show: bool, show_in: Place | None, several: bool) -> Sink:
    from ferserve.cli.sinks import display

    place = (show_in or Place.AUTO).value if show or show_in else None
    if json and place:
        raise typer.BadParameter("must be left out with --json, got both", param_hint="--show")
    return display(json=json, show=place, several=several)


def _stream_all(
    client: Client | LocalClient, inputs: list[Input], options: StreamOptions, sink: Sink, reconnect_s: float
) -> int:
    """Stream one after the other, and go on after a bad one; returns the worst exit code."""
    worst = 0
    for left, source in zip(reversed(range(len(inputs))), inputs, strict=True):
        run = _SourceRun(client, source, options, sink, reconnect_s)
        sink.start(source.name)
        try:
            run.run()
        except KeyboardInterrupt:  # the way to end the last source if it is live
            if left or not run.live:
                return exit_codes.INTERRUPTED
        finally:
            sink.end(source.name)
        worst = max(worst, run.code)
        if sink.closed:
            break
    return worst


class _SourceRun:
    """One source's way through the engine."""

    def __init__(
        self, client: Client | LocalClient, source: Input, options: StreamOptions, sink: Sink, reconnect_s: float
    ) -> None:
        self._client = client
        self._source = source
        self._options = options
        self._sink = sink
        self._reconnect_s = reconnect_s
        self.live = False
        self.code = 0

    def run(self) -> None:
        """Stream to the end of the source, or until the sink is closed; what fails is told and kept in ``code``."""
        from ferserve.errors import (
            ConfigError,
            InvalidFrameError,
            OverloadedError,
            SourceLostError,
            StreamProtocolError,
        )

        try:
            opened = self._open()
        except (ConfigError, InvalidFrameError) as error:
            return self._fail("unreadable", str(error))
        except OSError as error:
            return self._fail("unreadable", error.strerror or str(error))
        self.live = opened.live
        try:
            self._show_results(opened)
        except SourceLostError as error:
            self._fail(error.kind, str(error), exit_codes.LOST)
        except (InvalidFrameError, OverloadedError, StreamProtocolError) as error:
            self._fail(error.kind, str(error))
        finally:
            opened.stop()

    def _open(self) -> FrameSource:
        """Open in another thread, so that Ctrl-C works while a camera or a server does not answer."""
        from ferserve.client.feed import start_opening
        from ferserve.errors import ConfigError
        from ferserve.sources.iterables import FrameMaker
        from ferserve.sources.live_source import LiveSource

        if self._source.fault:
            raise ConfigError(self._source.fault)
        locator = self._source.locator
        if locator is None:
            return start_opening(sys.stdin.buffer, FrameMaker()).result()
        return start_opening(LiveSource(locator, self._reconnect_s, self._tell), FrameMaker()).result()

    def _tell(self, status: SourceStatus) -> None:
        """Say on stderr how a live source fares."""
        from ferserve.rendering.json import print_error

        self._sink.state(self._source.name, status)
        if status.reason:
            print_error(self._source.name, f"{status.state.value}: {status.reason}")
        elif status.frames > 1:
            print_error(self._source.name, f"{status.state.value} again")

    def _show_results(self, opened: FrameSource) -> None:
        from ferserve.client.stream_run import settled_options
        from ferserve.errors import SourceLostError
        from ferserve.rendering.json import print_error
        from ferserve.sinks.sink import watched

        name = self._source.name
        frames = watched(opened.frames, self._sink, name)
        options = settled_options(self._options, opened.live)
        with contextlib.closing(self._client.stream(frames, options)) as results:
            for result in results:
                if (
                    result.fault is not None and result.fault.code != SourceLostError.kind
                ):  # that one came back, or will
                    self.code = exit_codes.FAILED
                    print_error(f"{name}: frame {result.frame_id}", result.fault.message)
                self._sink.result(name, result)
                if self._sink.closed:
                    break

    def _fail(self, kind: str, message: str, code: int = exit_codes.FAILED) -> None:
        """Tell what ended the source."""
        from ferserve.rendering.json import print_error
        from ferserve.types import FrameFault, FrameResult

        self.code = max(self.code, code)
        print_error(self._source.name, message)
        self._sink.result(self._source.name, FrameResult(0, fault=FrameFault(kind, message)))
