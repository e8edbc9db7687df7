"""``ferserve classify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ferserve.cli import flags

if TYPE_CHECKING:
    from ferserve.client import Client
    from ferserve.local import LocalClient
    from ferserve.options import FrameOptions
    from ferserve.types import FrameResult


def command(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="JPEG, PNG, WebP or BMP files.")],
    json: flags.Json = False,
    target: flags.Target = None,
    tls_ca: flags.TlsCa = None,
    model: flags.Model = None,
    detector: flags.Detector = None,
    min_score: flags.MinScore = None,
    detection_side: flags.DetectionSide = 0,
    config: flags.ConfigFile = None,
) -> None:
    """Find the faces in pictures and say what they express."""
    from ferserve.cli.connect import model_name, open_backend
    from ferserve.options import FrameOptions
    from ferserve.rendering import json as report

    options = FrameOptions(model=model_name(target, model), min_score=min_score, detection_side_px=detection_side)
    failed = False
    with open_backend(target, model, detector, config, tls_ca) as backend:
        for file in files:
            result = _classify(backend, file, options)
            if result.fault is not None:
                failed = True
                report.print_error(file, result.fault.message)
            if json:
                print(report.json_line("file", file, result), flush=True)
            elif result.fault is None:
                _print_table(file, result)
    if failed:
        raise typer.Exit(1)


def _classify(backend: Client | LocalClient, file: str, options: FrameOptions) -> FrameResult:
    """A file that cannot be read or classified is a result with a fault: the next one has its turn all the same."""
    from ferserve.errors import FerserveError, FrameDeadlineError, InvalidFrameError, OverloadedError
    from ferserve.types import FrameFault, FrameResult

    try:
        return backend.classify(file, options=options)
    except (InvalidFrameError, OverloadedError, FrameDeadlineError) as error:
        return FrameResult(0, fault=FrameFault(error.kind, str(error)))
    except FerserveError:  # of the backend, not of the file; some of them are OSErrors too
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
