"""The table of inference backends."""

from __future__ import annotations

from typing import get_args

import pytest

from ferserve.config import Device
from ferserve.models.store import BUNDLED_DIR
from ferserve.runtime.backends import BACKENDS, open_session, uses_cpu

MODEL = BUNDLED_DIR / "face-lite.onnx"


def test_every_device_has_a_backend() -> None:
    assert set(BACKENDS) == set(get_args(Device))


@pytest.mark.parametrize(
    ("device", "on_cpu"),
    [("cpu", True), ("openvino", True), ("cuda", False), ("tensorrt", False), ("tensorrt-native", False)],
)
def test_a_named_device_says_whether_the_processor_runs_it(device: Device, on_cpu: bool) -> None:
    assert uses_cpu(device, MODEL) is on_cpu


def test_auto_uses_what_a_session_really_got() -> None:
    assert uses_cpu("auto", MODEL) is ("CPUExecutionProvider" in open_session(MODEL, "auto").runs_on)
