from __future__ import annotations

import pytest

from tests.unit.runtime.tensorrt.fake_tensorrt import install
from tests.unit.runtime.tensorrt.machine import Machine


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with a GPU that is none."""
    made = Machine()
    install(monkeypatch, made)
    return made
