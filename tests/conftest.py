"""What tests of several folders need."""

import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.serving.fixtures"]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data that is not part of the project; tests that need it are skipped without it."""
    beside = Path(__file__).parents[1].parent / "shared"
    folder = Path(os.environ.get("FERSERVE_SHARED", beside))
    if not folder.is_dir():
        pytest.skip(f"needs the data folder {folder}; FERSERVE_SHARED names another one")
    return folder


@pytest.fixture(scope="session")
def yunet_file(shared: Path) -> Path:
    """YuNet's official weights."""
    path = shared / "models" / "yunet_s_640_640.onnx"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    return path
