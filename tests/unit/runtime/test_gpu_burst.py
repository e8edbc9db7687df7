"""The GPU's own meters as proof: a load is enough, none refuses the start, silence proves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import ConfigError
from ferserve.meters.gpu import GpuReading
from ferserve.runtime import loader
from ferserve.runtime.gpu_burst import idle_in_burst
from tests.tiny_models import write_brightness_model
from tests.unit.runtime.tensorrt.fake_tensorrt import install
from tests.unit.runtime.tensorrt.machine import Machine


class Meter:
    """Tells a load after as many readings."""

    def __init__(self, *loads: float | None) -> None:
        self._loads = list(loads)

    def read(self) -> GpuReading:
        return GpuReading(self._loads.pop(0) if len(self._loads) > 1 else self._loads[0])


def test_the_burst_ends_with_the_first_load() -> None:
    runs: list[int] = []
    assert idle_in_burst(lambda: runs.append(1), [Meter(0, 0, 0, 3)], limit_s=60) == ""
    assert runs


def test_one_card_of_several_is_enough() -> None:
    assert idle_in_burst(lambda: None, [Meter(0), Meter(0, 12)], limit_s=60) == ""


def test_a_gpu_that_stays_idle_is_told() -> None:
    assert idle_in_burst(lambda: None, [Meter(0)], 0.1) == "0.1 s of runs leave the load of every GPU at 0 %"


@pytest.mark.parametrize("meters", [[], [Meter(None)]])
def test_without_a_load_nothing_is_held_against_the_gpu(meters: list[Meter]) -> None:
    assert idle_in_burst(lambda: pytest.fail("no need to run"), meters) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize("load", [0.0, 8.0])
def test_a_start_on_an_idle_gpu_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: float) -> None:
    install(monkeypatch, Machine())
    monkeypatch.setattr(loader, "find_meters", lambda: [Meter(load)])
    write_brightness_model(tmp_path / "brightness.onnx")
    config = EngineConfig(
        model="brightness", model_dir=str(tmp_path), device="tensorrt-native", cache_dir=str(tmp_path), threads=1
    )
    if load:
        with Engine(config) as engine:
            assert "TensorRT" in engine.runs_on
    else:
        with pytest.raises(ConfigError, match=r"on a GPU, got TensorRT .*, but 3 s of runs leave the load"):
            Engine(config)
