"""``ferserve cluster``."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ferserve.cli import exit_codes, flags
from ferserve.cli.help import Command, Group

if TYPE_CHECKING:
    from ferserve.cluster.job import FileReport

Source: TypeAlias = Annotated[
    str, typer.Argument(metavar="PATH|s3://...", help="A folder of videos, its subfolders included, or one video.")
]
Out: TypeAlias = Annotated[str, typer.Option(metavar="PATH|s3://...", help="Where the tables go, a part per video.")]
Every: TypeAlias = Annotated[int, typer.Option(metavar="N", min=1, help="Look at every n-th frame only.")]
Workers: TypeAlias = Annotated[
    int,
    typer.Option(metavar="N", min=0, help="Processes with an engine each; 0 for all that the cluster has room for."),
]
Cpus: TypeAlias = Annotated[float, typer.Option(metavar="N", min=0.1, help="CPUs that each worker takes.")]
Gpus: TypeAlias = Annotated[float, typer.Option(metavar="N", min=0, help="GPUs that each worker takes.")]
Address: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT|auto",
        help="A Ray cluster that runs; by default that of RAY_ADDRESS, or else this machine alone.",
    ),
]
Overwrite: TypeAlias = Annotated[bool, typer.Option("--overwrite", help="Make parts anew that are whole.")]

app = typer.Typer(help="Annotate archives of videos on a cluster of Ray.", no_args_is_help=True, cls=Group)


@app.callback()
def _group() -> None:
    """Keeps ``annotate`` a command of its own while it is the only one."""


@app.command("annotate", cls=Command)
def annotate_command(
    source: Source,
    out: Out,
    every: Every = 1,
    workers: Workers = 0,
    cpus_per_worker: Cpus = 1.0,
    gpus_per_worker: Gpus = 0.0,
    address: Address = None,
    overwrite: Overwrite = False,
    model: flags.Model = None,
    detector: flags.Detector = None,
    device: flags.Device = None,
    config: flags.ConfigFile = None,
) -> None:
    """Write a table of the faces in each video. Started again, it goes on where it was: parts that are whole stay."""
    from ferserve.cluster.annotate import annotate_archive
    from ferserve.cluster.job import ClusterJob
    from ferserve.cluster.pool import PoolSettings

    engine = flags.load(config, engine_model=model, engine_detector=detector, engine_device=device).engine
    job = ClusterJob(source, out, engine, every, overwrite)
    settings = PoolSettings(address, workers, cpus_per_worker, gpus_per_worker)
    begin, done, skipped, bad = time.monotonic(), 0, 0, 0
    try:
        count, reports = annotate_archive(job, settings, _tell)
        for done, report in enumerate(reports, 1):
            skipped += report.skipped
            bad += bool(report.error or report.faults)
            _show(f"[{done}/{count}] {report.name}", report)
    except KeyboardInterrupt:
        _tell(f"interrupted after {done} files; the same command goes on from there")
        raise typer.Exit(exit_codes.INTERRUPTED) from None
    took = f"{done} files in {time.monotonic() - begin:.0f} s"
    print(f"{took}: {done - bad} well, {bad} failed or with faults, {skipped} done before; see {out}")
    if bad:
        raise typer.Exit(exit_codes.FAILED)


def _show(name: str, report: FileReport) -> None:
    if report.error:
        _tell(f"{name}: {report.error}")
        return
    faults = f", {report.faults} faults" if report.faults else ""
    how = "done before" if report.skipped else f"{report.seconds:.1f} s"
    print(f"{name}: {report.frames} frames, {report.rows} rows{faults}, {how}", flush=True)


def _tell(text: str) -> None:
    print(f"ferserve: {text}", file=sys.stderr, flush=True)
