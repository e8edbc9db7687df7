"""Flags that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias, get_args

import typer

from ferserve.config import Config
from ferserve.config import Device as ConfiguredDevice

ConfigFile: TypeAlias = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="TOML file with the tables engine, server and tls.")
]
ModelDir: TypeAlias = Annotated[str | None, typer.Option(metavar="DIR", help="Folder of further models.")]
ModelRepository: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="DIR", help="Folder of models that may come, change and go: NAME/VERSION/model.onnx."),
]
Target: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT|unix:PATH",
        help="Server to ask, or several with commas; without this flag the engine runs in this process.",
    ),
]
TlsCa: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="FILE|system", help="With --target: speak TLS, and trust the authorities in this PEM file."),
]
Model: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|PATH",
        help="Name of a model, or NAME@VERSION; without --target also an ONNX file or a run's folder.",
    ),
]
Models: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME|PATH",
        help="Name of a model, or NAME@VERSION; several, separated by commas, all answer. Without --target also an "
        "ONNX file or a run's folder.",
    ),
]
Detector: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="Face detector: face-lite, yunet, or none.")
]
Device: TypeAlias = Annotated[
    str | None, typer.Option(metavar="|".join(get_args(ConfiguredDevice)), help="Device that runs the models.")
]
DetectionSide: TypeAlias = Annotated[
    int,
    typer.Option(
        metavar="PX",
        help="Longest side of the image that the detector gets; 0 chooses by the size of the frame.",
    ),
]
MinScore: TypeAlias = Annotated[
    float | None, typer.Option(metavar="SCORE", help="Lowest detector score of a face, 0 to 1.")
]
UseTruncated: TypeAlias = Annotated[
    bool,
    typer.Option("--use-truncated", help="Use a JPEG whose end is missing as far as it goes, and say so."),
]
Recursive: TypeAlias = Annotated[bool, typer.Option("--recursive", "-r", help="Look into the subfolders of folders.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]


def load(path: Path | None, **flags: Any) -> Config:
    """The configuration; ``flags`` are named ``<section>_<key>``, and None stands for a flag that was not given."""
    from ferserve.config_sources import load_config

    sections: dict[str, dict[str, Any]] = {}
    for name, value in flags.items():
        section, _, key = name.partition("_")
        sections.setdefault(section, {})[key] = value
    return load_config(path, flags=sections)
