"""Flags that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from ferserve.config import Config

ConfigFile: TypeAlias = Annotated[
    Path | None, typer.Option("--config", help="TOML file with the tables engine, server and tls.")
]
ModelDir: TypeAlias = Annotated[str | None, typer.Option(help="Folder with further models.")]
Target: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT|unix:PATH", help="Ask this server; without it an engine runs in this process."),
]
TlsCa: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="FILE|system", help="With --target: speak TLS, and trust the authorities of this PEM file."),
]
Model: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="NAME|PATH", help="Name of a model; without --target also an ONNX file or a run's folder."),
]
Detector: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="Face detector: face-lite, yunet, or none.")
]
DetectionSide: TypeAlias = Annotated[
    int,
    typer.Option(
        metavar="PX",
        help="Longest side of what the detector sees; the frame's own for full resolution, 0: by the frame's size.",
    ),
]
MinScore: TypeAlias = Annotated[float | None, typer.Option(help="Least detector score of a face, 0 to 1.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


def load(path: Path | None, **flags: Any) -> Config:
    """The configuration; ``flags`` are named ``<section>_<key>``, None where they were not given."""
    from ferserve.config import load_config

    sections: dict[str, dict[str, Any]] = {}
    for name, value in flags.items():
        section, _, key = name.partition("_")
        sections.setdefault(section, {})[key] = value
    return load_config(path, flags=sections)
