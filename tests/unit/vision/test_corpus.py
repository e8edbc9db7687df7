"""Files that once broke a decoder, and one mutation of each seed of the fuzzer."""

from __future__ import annotations

import random

import pytest

from tests.fuzz import decode
from tests.fuzz.mutations import mutated

SEEDS = decode.seeds()


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_a_file_is_a_picture_or_a_fault(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_MS", float("inf"))  # nothing here depends on the machine's speed
    rng = random.Random(number)
    for data in (SEEDS[number], mutated(rng, SEEDS[number], SEEDS)):
        for truncated in (False, True):
            decode.one_file(data, color=truncated, use_truncated=truncated)
