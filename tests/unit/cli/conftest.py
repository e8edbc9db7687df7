"""Files for commands, and a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import builders
from tests.serving.process import ServerProcess, serve_command
from tests.tiny_models import write_brightness_model


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, pictures and a clip."""
    folder = tmp_path_factory.mktemp("cli")
    write_brightness_model(folder / "brightness.onnx")
    (folder / "face.jpg").write_bytes(builders.jpeg(builders.astronaut()))
    (folder / "empty.png").write_bytes(builders.encoded(builders.rgb_picture().crop((0, 200, 100, 300)), "PNG"))
    (folder / "damaged.jpg").write_bytes(builders.jpeg(builders.astronaut())[:4000])
    builders.video_file(folder / "clip.avi", frames=12)
    return folder


@pytest.fixture(scope="package")
def target(folder: Path) -> Iterator[str]:
    with ServerProcess(serve_command(folder)) as server:
        yield server.address


@pytest.fixture(params=["in this process", "a server"])
def where(request: pytest.FixtureRequest, folder: Path) -> list[str]:
    """The flags that choose who answers."""
    if request.param == "a server":
        return ["--target", request.getfixturevalue("target")]
    return ["--model", str(folder / "brightness.onnx")]
