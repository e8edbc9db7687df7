"""What tests of several folders need."""

import os
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("untimed")

pytest_plugins = ["tests.serving.fixtures"]


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Divide the suite among processes, if there are several: slow tests first, one by one, then file after file.

    A file stays in one process, so that what its tests share is made once; the short files come last, which lets all
    processes end at about the same time.
    """
    if not hasattr(config, "workerinput"):
        return
    items.sort(key=lambda item: (item.get_closest_marker("slow") is None, "training" not in item.path.parts))
    for item in items:
        if item.get_closest_marker("slow") is None:
            item.add_marker(pytest.mark.xdist_group(item.location[0]))


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
