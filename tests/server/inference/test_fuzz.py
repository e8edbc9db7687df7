"""A moment of the fuzzer, always the same one."""

from __future__ import annotations

import random
from pathlib import Path

from tests.fuzz.inference import Door, Draw


def test_mutated_requests_are_answered_or_refused(tmp_path: Path) -> None:
    door, draw, rng = Door(tmp_path), Draw(), random.Random(5)
    try:
        outcomes = {door.judge(rng, draw(rng)) for _ in range(150)}
    finally:
        door.close()
    assert {"an answer", "InvalidFrameError", "InvalidOptionsError", "DecodeError"} <= outcomes
    assert any(outcome.startswith("a stream") for outcome in outcomes)
