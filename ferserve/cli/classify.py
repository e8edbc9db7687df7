"""``ferserve classify``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ferserve.cli import exit_codes, flags

if TYPE_CHECKING:
    from pathlib import Path

    from ferserve.cli.inputs import Input
    from ferserve.client import Client
    from ferserve.local import LocalClient
    from ferserve.options import FrameOptions
    from ferserve.sinks.sink import Sink
    from ferserve.types import FrameResult


Sources: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Pictures: files, folders, patterns such as 'shots/*.jpg', http(s) and file URLs; - for the standard "
        "input. JPEG, PNG, WebP, BMP, GIF (first frame), TIFF (first page); HEIC and AVIF with the extra heic.",
    ),
]


def command(
    sources: Sources,
    recursive: flags.Recursive = False,
    json: flags.Json = False,
    target: flags.Target = None,
    tls_ca: flags.TlsCa = None,
    model: flags.Models = None,
    detector: flags.Detector = None,
    device: flags.Device = None,
    min_score: flags.MinScore = None,
    detection_side: flags.DetectionSide = 0,
    use_truncated: flags.UseTruncated = False,
    config: flags.ConfigFile = None,
) -> None:
    """Find the faces in pictures and say what they express; with --detector none each picture is one face."""
    from ferserve.cli.connect import asked_models, connect
    from ferserve.cli.inputs import expand
    from ferserve.cli.sinks import JsonSink, PictureSink
    from ferserve.options import FrameOptions
    from ferserve.rendering.json import print_error

    one, several = asked_models(target, model)
    as_faces = _are_faces(target, detector, config)
    options = FrameOptions(
        one, min_score, detection_side_px=detection_side, use_truncated=use_truncated, models=several
    )
    failed = False
    with (
        connect(target, model, None if target and as_faces else detector, device, config, tls_ca, as_faces) as client,
        JsonSink() if json else PictureSink() as sink,
    ):
        for source in expand(sources, "picture", recursive):
            sink.start(source.name)
            result = _classify(client, source, options, sink, as_faces)
            if result.fault is not None:
                failed = True
                print_error(source.name, result.fault.message)
            sink.result(source.name, result)
            sink.end(source.name)
    if failed:
        raise typer.Exit(exit_codes.FAILED)


def _are_faces(target: str | None, detector: str | None, config: Path | None) -> bool:
    """Whether each picture is one face: the detector is ``none``, by flag or configuration."""
    if detector is None and target is None:
        detector = flags.load(config).engine.detector
    return detector == "none"


def _classify(
    client: Client | LocalClient, source: Input, options: FrameOptions, sink: Sink, as_faces: bool
) -> FrameResult:
    """Classify one picture; one that cannot be read or classified is a result with a fault, and the others go on."""
    from ferserve.errors import FerserveError, FrameDeadlineError, InvalidFrameError, OverloadedError
    from ferserve.types import Crops, EncodedImage, Frame, FrameFault, FrameResult

    if source.fault:
        return FrameResult(0, fault=FrameFault("unreadable", source.fault))
    try:
        image = EncodedImage(_read(source))
        sink.frame(source.name, Frame(0, image))
        return client.classify(Crops((image,)) if as_faces else image, options=options)
    except (InvalidFrameError, OverloadedError, FrameDeadlineError) as error:
        return FrameResult(0, fault=FrameFault(error.kind, str(error)))
    except FerserveError:  # of the client, not of the picture; some are OSErrors too
        raise
    except OSError as error:
        return FrameResult(0, fault=FrameFault("unreadable", error.strerror or str(error)))


def _read(source: Input) -> bytes:
    """The bytes of one picture; raises :class:`InvalidFrameError` for a video, and OSError."""
    from ferserve.errors import InvalidFrameError
    from ferserve.sources.images import read_image
    from ferserve.sources.kinds import HEAD_BYTES, kind_of
    from ferserve.sources.locators import is_url
    from ferserve.sources.web_image import download_image

    if source.locator is None:
        return read_image(sys.stdin.buffer)
    path = str(source.locator)
    if is_url(path):
        return download_image(path)
    with open(path, "rb") as file:
        if kind_of(file.peek(HEAD_BYTES)[:HEAD_BYTES], path) == "video":
            raise InvalidFrameError("source must be a picture, got a video; `ferserve stream` takes videos")
        return read_image(file)
