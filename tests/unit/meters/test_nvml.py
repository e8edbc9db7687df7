"""NVML without a card: a stand-in whose every name is one of the real module."""

from __future__ import annotations

import sys
import types
from importlib.machinery import ModuleSpec
from types import SimpleNamespace
from typing import Any

import pytest

from ferserve.meters.gpu import GpuReading, find_meters, why_no_meter
from ferserve.meters.nvml import nvml_meters

MIB = 1 << 20


class NVMLError(Exception):
    """As the real module has it."""


def not_supported(*_: Any) -> Any:
    raise NVMLError("Not Supported")


CALLS: dict[str, Any] = {
    "nvmlInit": lambda: None,
    "nvmlDeviceGetCount": lambda: 2,
    "nvmlDeviceGetHandleByIndex": lambda index: index,
    "nvmlDeviceGetUUID": lambda card: f"GPU-{card}",
    "nvmlDeviceGetUtilizationRates": lambda card: SimpleNamespace(gpu=40 + card, memory=9),
    "nvmlDeviceGetMemoryInfo": lambda card: SimpleNamespace(total=80 * MIB, used=10 * MIB, free=70 * MIB),
    "nvmlDeviceGetPowerUsage": lambda card: 61_500,
}


def install(monkeypatch: pytest.MonkeyPatch, **changed: Any) -> None:
    module = types.ModuleType("pynvml")
    module.__spec__ = ModuleSpec("pynvml", None)
    for name, call in {**CALLS, **changed, "NVMLError": NVMLError}.items():
        setattr(module, name, call)
    monkeypatch.setitem(sys.modules, "pynvml", module)


def test_each_name_is_one_of_the_real_module() -> None:
    pynvml = pytest.importorskip("pynvml", reason="needs nvidia-ml-py, of the extra gpu")
    assert not [name for name in (*CALLS, "NVMLError") if not hasattr(pynvml, name)]
    assert {"gpu", "memory"} == {field[0] for field in pynvml.c_nvmlUtilization_t._fields_}
    assert {"total", "used"} <= {field[0] for field in pynvml.c_nvmlMemory_t._fields_}


def test_each_card_has_a_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    readings = [meter.read() for meter in find_meters()]
    assert readings == [GpuReading(40, 10, 61.5, 80, "GPU-0"), GpuReading(41, 10, 61.5, 80, "GPU-1")]


def test_what_a_card_does_not_tell_is_none_and_no_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = dict.fromkeys((name for name in CALLS if "Get" in name and "Count" not in name), not_supported)
    install(monkeypatch, **silent | {"nvmlDeviceGetHandleByIndex": lambda index: index})
    assert [meter.read() for meter in nvml_meters()] == [GpuReading(name="0"), GpuReading(name="1")]


def test_no_driver_is_no_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, nvmlInit=not_supported)
    assert nvml_meters() == []
    assert "this machine has no GPU that NVML or tegrastats can see" in why_no_meter()
