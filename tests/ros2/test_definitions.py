"""The stand-in's messages against the definitions of ROS 2 that rosbags carries; it has none of hri_msgs."""

from __future__ import annotations

from typing import Any

import pytest
from rosbags.typesys import Stores, get_typestore

from tests.ros2.definitions import DEFINITIONS
from tests.ros2.messages import parse

STANDARD = [name for name in DEFINITIONS if not name.startswith("hri_msgs/")]


def _name(kind: Any) -> str:
    """A type of rosbags as the definition writes it: a base type, a message, or an array of one."""
    node, what = kind
    if node.name == "BASE":
        return "byte" if what[0] == "octet" else str(what[0])
    if node.name == "NAME":
        return str(what).replace("/msg/", "/")
    element, length = what
    return f"{_name(element)}[{length or ''}]"


@pytest.mark.parametrize("store", [Stores.ROS2_HUMBLE, Stores.ROS2_JAZZY])
@pytest.mark.parametrize("message", STANDARD)
def test_fields_types_and_constants_are_those_of_ros(store: Stores, message: str) -> None:
    constants, fields = get_typestore(store).fielddefs[message.replace("/", "/msg/")]
    ours, ours_constants = parse(DEFINITIONS[message])
    assert list(ours.items()) == [(name, _name(kind)) for name, kind in fields]
    theirs = {name: value for name, _, value in constants}
    for name, value in ours_constants.items():
        assert value == (bytes([theirs[name]]) if isinstance(value, bytes) else theirs[name])
