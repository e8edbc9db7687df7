"""The table of inference backends."""

from __future__ import annotations

from typing import get_args

import onnxruntime
import pytest

from ferserve.config import Device
from ferserve.runtime.backends import BACKENDS, uses_cpu


def test_every_device_has_a_backend() -> None:
    assert set(BACKENDS) == set(get_args(Device))


@pytest.mark.parametrize(("device", "on_cpu"), [("cpu", True), ("cuda", False), ("tensorrt", False)])
def test_a_named_device_says_whether_the_processor_runs_it(device: Device, on_cpu: bool) -> None:
    assert uses_cpu(device) is on_cpu


def test_auto_uses_the_processor_without_cuda() -> None:
    assert uses_cpu("auto") is ("CUDAExecutionProvider" not in onnxruntime.get_available_providers())
