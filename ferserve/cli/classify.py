"""``ferserve classify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ferserve.cli import exit_codes, flags

if TYPE_CHECKING:
    from ferserve.client import Client
    from ferserve.local import LocalClient
    from ferserve.options import FrameOptions
    from ferserve.types import FrameResult


def command(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="JPEG, PNG, WebP or BMP files.")],
    json: flags.Json = False,
    target: flags.Target = None,
    tls_ca: flags.TlsCa = None,
    model: flags.Model = None,
    detector: flags.Detector = None,
    device: flags.Device = None,
    min_score: flags.MinScore = None,
    detection_side: flags.DetectionSide = 0,
    config: flags.ConfigFile = None,
) -> None:
    """Find the faces in pictures and say what they express."""
    from ferserve.cli.connect import connect, model_name
    from ferserve.options import FrameOptions
    from ferserve.rendering.json import json_line, print_error

    options = FrameOptions(model=model_name(target, model), min_score=min_score, detection_side_px=detection_side)
    failed = False
    with connect(target, model, detector, device, config, tls_ca) as client:
        for file in files:
            result = _classify(client, file, options)
            if result.fault is not None:
                failed = True
                print_error(file, result.fault.message)
            if json:
                print(json_line(result, file), flush=True)
            elif result.fault is None:
                _print_table(file, result)
    if failed:
        raise typer.Exit(exit_codes.FAILED)


def _classify(client: Client | LocalClient, file: str, options: FrameOptions) -> FrameResult:
    """Classify one file; one that cannot be read or classified is a result with a fault, and the others go on."""
    from ferserve.errors import FerserveError, FrameDeadlineError, InvalidFrameError, OverloadedError
    from ferserve.types import FrameFault, FrameResult

    try:
        return client.classify(file, options=options)
    except (InvalidFrameError, OverloadedError, FrameDeadlineError) as error:
        return FrameResult(0, fault=FrameFault(error.kind, str(error)))
    except FerserveError:  # of the client, not of the file; some are OSErrors too
        raise
    except OSError as error:
        return FrameResult(0, fault=FrameFault("unreadable", error.strerror or str(error)))


def _print_table(file: str, result: FrameResult) -> None:
    from rich.text import Text

    from ferserve.cli.table import bar_cells, faces_table, plain_console

    console = plain_console()
    size_and_time = f" {result.width}x{result.height}, {result.timings.total_ms:.1f} ms"
    console.print(Text.assemble((file, "bold"), size_and_time), soft_wrap=True)
    if result.faces:
        console.print(faces_table(result.faces, tracked=False, bar_cells=bar_cells(console)))
    else:
        console.print("no face")
