"""Files of unit costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ferserve.errors import ConfigError
from ferserve.sizing.cost import read_cost, shipped_cost


def test_a_saved_file_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "cost.json"
    path.write_text(shipped_cost().to_json())
    assert read_cost(path) == shipped_cost()


@pytest.mark.parametrize(
    "change",
    [
        {"frames": []},
        {"frames": [{}]},
        {"worker_mb": 0},
        {"worker_mb": "x"},
        {"proxy_cpu_ms": float("nan")},
        {"more": 1},
    ],
)
def test_other_files_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "cost.json"
    path.write_text(json.dumps(json.loads(shipped_cost().to_json()) | change))
    with pytest.raises(ConfigError, match="--cost must be a file of `ferserve size --measure --save FILE`"):
        read_cost(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff\xfe", b"{", b"1"])
def test_files_of_something_else_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cost.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="--cost must be a file"):
        read_cost(path)


def test_one_size_does_not_say_what_another_costs(tmp_path: Path) -> None:
    values = json.loads(shipped_cost().to_json())
    path = tmp_path / "cost.json"
    path.write_text(json.dumps(values | {"frames": values["frames"][:1]}))
    with pytest.raises(ConfigError, match="--size must be 640x480, the one size of the cost file, got 800x600"):
        read_cost(path).of(800, 600)
