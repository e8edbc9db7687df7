"""A Jetson's own tools, as recorded lines and as programs that print them."""

from __future__ import annotations

import gc
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from ferserve.meters.gpu import GpuReading, find_meters
from ferserve.meters.jetson import JetsonMeter, parse_tegrastats
from ferserve.meters.power_mode import parse_clocks, parse_nvpmodel, power_mode
from tests.programs import put_on_path

LINES = {
    "JetPack 4, Nano": (
        "RAM 1903/3956MB (lfb 5x4MB) IRAM 0/252kB(lfb 252kB) CPU [40%@1479,off] EMC_FREQ 0% GR3D_FREQ 12% PLL@37C "
        "POM_5V_IN 2532/2510 POM_5V_GPU 123/120 POM_5V_CPU 411/400",
        GpuReading(12, 1903, 2.532, 3956, "jetson"),
    ),
    "JetPack 5, AGX Orin": (
        "RAM 5137/30536MB (lfb 4000x4MB) SWAP 0/15268MB (cached 0MB) CPU [7%@1190,0%@729,off,off] EMC_FREQ 1%@2133 "
        "GR3D_FREQ 63%@[611,611] VIC_FREQ 729 APE 174 CV0@-256C CPU@48.6C SOC2@44.8C tboard@36C "
        "VDD_GPU_SOC 4011mW/3900mW VDD_CPU_CV 1203mW/1100mW VIN_SYS_5V0 3623mW/3600mW",
        GpuReading(63, 5137, 8.837, 30536, "jetson"),
    ),
    "JetPack 6, Orin Nano": (
        "11-15-2023 05:41:33 RAM 1773/7620MB (lfb 27x4MB) SWAP 0/3810MB (cached 0MB) CPU [2%@1344,1%@1344] "
        "EMC_FREQ 0%@2133 GR3D_FREQ 45%@1300 cpu@47.1C gpu@46.2C "
        "VDD_IN 4123mW/4100mW VDD_CPU_GPU_CV 560mW/560mW VDD_SOC 1200mW/1200mW",
        GpuReading(45, 1773, 4.123, 7620, "jetson"),
    ),
    "JetPack 7.2, AGX Orin": (
        "07-25-2026 09:08:28 RAM 20642/62817MB (lfb 1x2MB) CPU [23%@2201,10%@2201] EMC_FREQ 3%@3199 "
        "GR3D_FREQ 0%@[1300,1300] NVENC0 off NVDEC0 off APE 174 cpu@52.968C/52.968C "
        "VDD_GPU_SOC 2000mW/2000mW VDD_CPU_CV 500mW/500mW VIN_SYS_5V0 3000mW/3000mW",
        GpuReading(0, 20642, 5.5, 62817, "jetson"),
    ),
    "JetPack 7, Thor": (
        "08-30-2025 10:00:00 RAM 6200/125772MB (lfb 9x4MB) CPU [1%@972,0%@972] GR3D_FREQ @[1000,1000,1000] "
        "cpu@39.4C tj@40.1C VDD_GPU 0mW/0mW VDD_CPU_SOC_MSS 6510mW/6400mW VIN_SYS_5V0 6520mW/6520mW VIN 23000mW/9mW",
        GpuReading(None, 6200, 23.0, 125772, "jetson"),
    ),
    "no sensor": ("RAM 1903/3956MB", GpuReading(None, 1903, None, 3956, "jetson")),
    "an error": ("tegrastats: cannot open /dev/nvmap", GpuReading(name="jetson")),
}


@pytest.mark.parametrize("board", LINES)
def test_lines_of_each_jetpack(board: str) -> None:
    line, reading = LINES[board]
    assert parse_tegrastats(line) == reading


def test_the_newest_line_counts_and_nothing_is_left_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_on_path(monkeypatch, tmp_path, "tegrastats", "echo 'RAM 1/8MB GR3D_FREQ 1%'; echo 'RAM 2/8MB'; exec sleep 600")
    before = set(psutil.Process().children())
    (meter,) = find_meters()
    reading = meter.read()
    while reading.memory_mib != 2:
        time.sleep(0.01)
        reading = meter.read()
    (running,) = set(psutil.Process().children()) - before
    del meter
    gc.collect()
    running.wait(10)


def test_tegrastats_that_ended_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = tmp_path / "count"
    put_on_path(monkeypatch, tmp_path, "tegrastats", f'echo x >> {count}; echo "RAM $(wc -l < {count})/8MB"')
    meter = JetsonMeter()
    while meter.read().memory_mib != 3:
        time.sleep(0.01)


def test_tegrastats_that_says_nothing_costs_no_figure_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path(monkeypatch, tmp_path, "tegrastats", "exit 1")
    assert JetsonMeter().read() == GpuReading(name="jetson")


def test_nvml_tells_the_load_that_thor_keeps_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Card:
        def read(self) -> GpuReading:
            return GpuReading(37.0, None, None, None, "GPU-0")

    put_on_path(monkeypatch, tmp_path, "tegrastats", f"echo '{LINES['JetPack 7, Thor'][0]}'; exec sleep 600")
    assert JetsonMeter(Card()).read() == GpuReading(37.0, 6200, 23.0, 125772, "jetson")


def test_power_mode_and_clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert power_mode() == ""
    put_on_path(monkeypatch, tmp_path, "nvpmodel", "echo 'NV Fan Mode:quiet'; echo 'NV Power Mode: MODE_30W'; echo 2")
    assert power_mode() == "nvpmodel MODE_30W, clocks unknown"
    shown = "cpu0:  Online=1 Governor=schedutil MinFreq=729600 MaxFreq={} CurrentFreq=729600 IdleStates: WFI=1 c7=1\n"
    put_on_path(monkeypatch, tmp_path, "jetson_clocks", f"echo '{shown.format(2201600)}'")
    assert power_mode() == "nvpmodel MODE_30W, clocks free"
    fixed = shown.format(729600) + "GPU MinFreq=918000000 MaxFreq=918000000 CurrentFreq=918000000\n"
    assert parse_clocks(fixed + "EMC MinFreq=204000000 MaxFreq=3199000000 CurrentFreq=2133000000") == "clocks fixed"
    assert parse_clocks(fixed.replace("MinFreq=918", "MinFreq=306")) == "clocks free"
    assert parse_nvpmodel("NVPM ERROR: no config") == "unknown"


def test_a_tool_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **options: object) -> None:
        assert options["timeout"]
        raise subprocess.TimeoutExpired("nvpmodel", 10)

    put_on_path(monkeypatch, tmp_path, "nvpmodel", "true")
    monkeypatch.setattr(subprocess, "run", never)
    assert power_mode() == ""
