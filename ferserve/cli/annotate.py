"""``ferserve annotate``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from ferserve.cli import exit_codes, flags

if TYPE_CHECKING:
    from ferserve.annotation.job import Job, Locator, Look
    from ferserve.config import EngineConfig

Sources: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Videos: files, folders, patterns such as 'clips/*.mp4', URLs, index of a camera; - for the standard "
        "input. With --fps pictures: a folder or a pattern is one sequence.",
    ),
]
Out: TypeAlias = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for a folder per source.")]
Every: TypeAlias = Annotated[int, typer.Option(metavar="N", min=1, help="Look at every n-th frame only.")]
Start: TypeAlias = Annotated[
    str | None, typer.Option(metavar="TIME", help="Begin at this time of each source: seconds, MM:SS or HH:MM:SS.")
]
End: TypeAlias = Annotated[
    str | None, typer.Option(metavar="TIME", help="Stop at this time; of a live source, so long after its first frame.")
]
Fps: TypeAlias = Annotated[
    float | None, typer.Option(metavar="FPS", help="Sources are sequences of pictures, so many per second.")
]
Workers: TypeAlias = Annotated[
    int, typer.Option(metavar="N", min=0, max=256, help="Sources at a time; 0 for one per two processors.")
]
NoVideo: TypeAlias = Annotated[bool, typer.Option("--no-video", help="Write no annotated.mp4, which is faster.")]
NoPlots: TypeAlias = Annotated[bool, typer.Option("--no-plots", help="Draw no timeline.")]
Overwrite: TypeAlias = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
Resume: TypeAlias = Annotated[bool, typer.Option("--resume", help="Pass over sources whose output is finished.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
SmoothingMs: TypeAlias = Annotated[
    float | None, typer.Option(metavar="MS", help="Time constant of the smoothing; 0 turns it off.")
]


def command(
    sources: Sources,
    out: Out,
    recursive: flags.Recursive = False,
    every: Every = 1,
    start: Start = None,
    end: End = None,
    fps: Fps = None,
    workers: Workers = 0,
    no_video: NoVideo = False,
    no_plots: NoPlots = False,
    overwrite: Overwrite = False,
    resume: Resume = False,
    quiet: Quiet = False,
    model: flags.Models = None,
    detector: flags.Detector = None,
    device: flags.Device = None,
    min_score: flags.MinScore = None,
    detection_side: flags.DetectionSide = 0,
    smoothing_ms: SmoothingMs = None,
    config: flags.ConfigFile = None,
) -> None:
    """Write per video a table of its faces, an annotated clip, a plot and a summary; a killed run goes on."""
    from ferserve.annotation.job import Look
    from ferserve.cli.annotate_view import show

    several = tuple(model.split(",")) if model and "," in model else ()
    engine = _engine_config(config, None if several else model, detector, device)
    start_s, end_s = _seconds("--start", start), _seconds("--end", end)
    options = _stream_options(several, min_score, detection_side, smoothing_ms)
    look = Look(every, start_s, end_s, fps, video=not no_video, plots=not no_plots, stream=options)
    _require_order(look)
    planned = _plan(sources, recursive, pictures=fps is not None)
    jobs = _jobs(planned, out, look, overwrite=overwrite, resume=resume)
    code = show(jobs, engine, _lanes(workers, jobs), quiet=quiet)
    if any(source.fault for source in planned):
        code = code or exit_codes.FAILED
    if code:
        raise typer.Exit(code)


def _engine_config(config: Path | None, model: str | None, detector: str | None, device: str | None) -> EngineConfig:
    from ferserve.annotation.job import repeatable
    from ferserve.errors import ConfigError

    engine = flags.load(config, engine_model=model, engine_detector=detector, engine_device=device).engine
    if engine.detector == "none":
        raise ConfigError("--detector must be face-lite or yunet, got none; the frames of a video are no faces")
    return repeatable(engine)


def _stream_options(models: tuple[str, ...], min_score: float | None, side: int, smoothing_ms: float | None) -> Any:
    from ferserve.options import Delivery, FrameOptions, StreamOptions

    frame = FrameOptions(min_score=min_score, detection_side_px=side, models=models)
    return StreamOptions(frame=frame, delivery=Delivery.EVERY, smoothing_ms=smoothing_ms)


def _lanes(workers: int, jobs: Sequence[Job]) -> int:
    """How many sources at a time; other processes have no standard input."""
    from ferserve.processors import usable_processors

    if any(job.locator is None for job in jobs):
        return 1
    return workers or max(usable_processors() // 2, 1)


@dataclass(frozen=True)
class _Planned:
    """One source: its name, where it is, and the path that names its output."""

    name: str
    locator: Locator
    path: str
    fault: str


def _plan(arguments: Sequence[str], recursive: bool, *, pictures: bool) -> list[_Planned]:
    """The sources that ``arguments`` stand for; those with a fault are told on stderr."""
    from ferserve.rendering.json import print_error

    planned = []
    for argument in arguments:
        for source in _sequence(argument, recursive) if pictures else _videos(argument, recursive):
            if source.fault:
                print_error(source.name, source.fault)
            planned.append(source)
    return planned


def _videos(argument: str, recursive: bool) -> Iterator[_Planned]:
    from ferserve.annotation.naming import name_of_url
    from ferserve.cli.inputs import expand
    from ferserve.sources.locators import is_url

    for source in expand([argument], "video", recursive):
        locator = source.locator
        if locator is None:
            path = "stdin"
        elif isinstance(locator, int):
            path = f"camera-{locator}"
        elif source.fault or is_url(locator):
            path = name_of_url(locator)
        else:
            path = _path_below(argument, locator)
        yield _Planned(source.name, locator, path, source.fault)


def _sequence(argument: str, recursive: bool) -> Iterator[_Planned]:
    """The pictures of one argument as one source."""
    from ferserve.cli.inputs import expand

    found = expand([argument], "picture", recursive)
    faults = [source.fault for source in found if source.fault]
    paths = tuple(source.locator for source in found if isinstance(source.locator, str))
    name = re.sub(r"[*?\[\]]+", "", Path(argument).name) or Path(argument).resolve().name
    yield _Planned(argument, paths, name, faults[0] if faults else "")


def _path_below(argument: str, path: str) -> str:
    """The part of ``path`` that names its output: below the folder that was given, or the file's name."""
    import os

    from ferserve.sources.locators import path_of

    folder = path_of(argument)
    return os.path.relpath(path, folder) if os.path.isdir(folder) else os.path.basename(path)


def _jobs(planned: Sequence[_Planned], out: Path, look: Look, *, overwrite: bool, resume: bool) -> list[Job]:
    from ferserve.annotation.job import Job
    from ferserve.annotation.naming import output_names

    good = [source for source in planned if not source.fault]
    names = output_names([source.path for source in good])
    return [
        Job(source.name, source.locator, out / name, look, overwrite, resume)
        for source, name in zip(good, names, strict=True)
    ]


def _seconds(flag: str, text: str | None) -> float | None:
    """Seconds of ``SS``, ``MM:SS`` or ``HH:MM:SS``, each with a fraction."""
    if text is None:
        return None
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text):
        raise typer.BadParameter(f"must be seconds, MM:SS or HH:MM:SS, got {text!r}", param_hint=flag)
    total = 0.0
    for part in text.split(":"):
        total = 60 * total + float(part)
    return total


def _require_order(look: Look) -> None:
    if look.end_s is not None and look.end_s <= (look.start_s or 0):
        raise typer.BadParameter(f"must be later than --start, got {look.end_s:g} s", param_hint="--end")
