"""``ferserve models build``: TensorRT's engines, ahead of the first start."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ferserve.cli import flags
from ferserve.cli.help import Command

app = typer.Typer()
"""Its place is the group of :mod:`ferserve.cli.models`."""


@app.command("build", cls=Command)
def build_command(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Models, as `ferserve models list` has them.")],
    precision: Annotated[
        str, typer.Option(metavar="fp16|fp32", help="Of models in floats; quantised ones stay INT8.")
    ] = "fp16",
    model_dir: flags.ModelDir = None,
    model_repository: flags.ModelRepository = None,
    config: flags.ConfigFile = None,
) -> None:
    """Build TensorRT's engines for this machine's GPU, so that `--device tensorrt-native` starts at once."""
    from ferserve.errors import ConfigError, ModelSpecError
    from ferserve.runtime.index import index_files
    from ferserve.runtime.tensorrt.session import TensorRtSession

    if precision not in ("fp16", "fp32"):
        raise ConfigError(f"--precision must be fp16 or fp32, got {precision!r}; a server takes fp16")
    folders = {"engine_model_dir": model_dir, "engine_model_repository": model_repository}
    loaded = flags.load(config, engine_device="tensorrt-native", **folders).engine
    index = index_files(loaded)
    cache = Path(loaded.cache_dir) if loaded.cache_dir else None
    for name in names:
        _, version = index.find(name)
        begun = time.monotonic()
        if version.file is None:
            raise ModelSpecError(f"cannot build an engine of {name}: {version.reason}; see `ferserve models verify`")
        session = TensorRtSession(version.file.path, cache, half=precision == "fp16")
        engine = session.engine_file
        size = f"{engine.stat().st_size / 1e6:.1f} MB" if engine.is_file() else "not kept"
        print(f"{name}: {session.runs_on}, {size}, {time.monotonic() - begun:.1f} s, {engine}")
