"""Every limit that can be set stands in docs/robustness.md, with its default's reason, its metric and its error."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ferserve.config import EngineConfig, ServerConfig

PAGE = Path(__file__).parents[2] / "docs" / "robustness.md"
FOR_SPEED = {"engine.max_batch_size", "engine.max_queue_delay_us"}
"""These bound no client."""


def test_every_limit_has_its_row() -> None:
    settings = {
        f"{section}.{field.name}"
        for section, config in (("engine", EngineConfig), ("server", ServerConfig))
        for field in dataclasses.fields(config)
    }
    limits = {name for name in settings if ".max_" in name or name.endswith("timeout_s")} - FOR_SPEED
    rows = {
        line.split("|")[1].strip().strip("`"): line for line in PAGE.read_text().splitlines() if line.startswith("| `")
    }
    assert limits <= rows.keys()
    assert {name for name in rows if name.startswith(("engine.", "server."))} <= settings
    assert {row.count("|") for name, row in rows.items() if name in limits} == {5}, "setting, reason, metric, error"
