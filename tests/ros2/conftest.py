"""The node's package beside a stand-in of ROS."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ros2 import messages, stand_in

PACKAGE = Path(__file__).parents[2] / "examples" / "ros2" / "ferserve_ros"


@pytest.fixture(scope="session", autouse=True)
def ros() -> Iterator[None]:
    """Makes ``import rclpy``, ``hri_msgs.msg`` and so on find the stand-in, and ``import ferserve_ros`` the package."""
    made = {module.__name__: module for module in (*messages.modules(), *stand_in.modules())}
    sys.modules.update(made)
    sys.path.insert(0, str(PACKAGE))
    yield
    sys.path.remove(str(PACKAGE))
    for name in [name for name in sys.modules if name in made or name.split(".")[0] == "ferserve_ros"]:
        del sys.modules[name]


@pytest.fixture
def graph() -> stand_in.Graph:
    """Empty topics."""
    stand_in.GRAPH.__init__()  # type: ignore[misc]
    return stand_in.GRAPH
