"""The tables of the cost study and of Light-FER, and what they are filled from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ferserve.errors import ConfigError
from training.__main__ import main
from training.cost.cell import Cell, CostError, Measurement
from training.cost.power import PowerMeter
from training.cost.probes import find_gpu
from training.cost.serving import measure_test_set
from training.cost.studies import require_study, study_tables
from training.data.fer2013 import load_fer2013

FULL = Measurement(
    fps=9.0, p50_ms=110.0, p99_ms=120.0, test_fps=8.9, accuracy=0.8125, cpu_percent=101.0, resident_mib=512.0,
    gpu_load_percent=63.0, gpu_memory_mib=2048.0, gpu_memory_total_mib=11468.8, gpu_load_before_percent=1.0,
    gpu_load_after_percent=61.0, system_used_mib=3072.0, system_total_mib=8192.0, power_w=7.5,
)  # fmt: skip
CELLS = [Cell("vgg16", "keras", "fp32", "gpu", 59.0, FULL), Cell("vgg16", "litert", "fp32", "gpu", reason="no GPU")]


@pytest.mark.parametrize(
    ("study", "jetson", "expected"),
    [
        ("jaffe", False, [
            "| model | runs as | accuracy | FPS | GPU load before | GPU load after | GPU memory used / total "
            "| RAM used / total |",
            "| vgg16 | keras fp32 gpu | 81.25 % | 8.90 | 1 % | 61 % | 2.00 / 11.20 GB | 3.00 / 8.00 GB |",
        ]),
        ("jaffe", True, [
            "| model | runs as | accuracy | FPS | GR3D before | GR3D after | RAM used / total |",
            "| vgg16 | keras fp32 gpu | 81.25 % | 8.90 | 1 % | 61 % | 2.00 / 11.20 GB |",
        ]),
        ("light-fer", False, [
            "| model | runs as | CPU % | MEM % | FPS |",
            "| vgg16 | keras fp32 gpu | 101 | 6.2 | 8.90 |",
            "| model | runs as | FPS | power W | CPU % | GPU % | memory GB |",
            "| vgg16 | keras fp32 gpu | 8.90 | 7.5 | 101 | 63 | 3.00 |",
        ]),
    ],
)  # fmt: skip
def test_each_table_has_the_columns_of_its_work(study: str, jetson: bool, expected: list[str]) -> None:
    lines = study_tables(study, CELLS, jetson).splitlines()
    assert [line for line in lines if line.startswith("| ") and not line.startswith("| ---")] == expected


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(ConfigError, match="table must be one of jaffe, light-fer, got 'tx2'"):
        require_study("tx2")


def write(path: Path, **files: object) -> None:
    path.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (path / name).write_text(f"{content}\n")


def test_power_is_the_energy_of_all_packages_over_the_time_even_if_a_counter_starts_again(tmp_path: Path) -> None:
    first, second = (tmp_path / "sys/class/powercap" / f"intel-rapl:{n}" for n in range(2))
    write(first, energy_uj=1_000_000, max_energy_range_uj=9_000_000)
    write(second, energy_uj=8_000_000, max_energy_range_uj=9_000_000)
    write(first / "intel-rapl:0:0", energy_uj=5)  # a part of the package, counted with it
    meter = PowerMeter(tmp_path)
    meter.start()
    began, _ = meter._started or (0.0, [])
    write(first, energy_uj=7_000_000)
    write(second, energy_uj=1_000_000)
    assert meter.stop(now=began + 2.0) == pytest.approx((6 + 2) / 2)


def test_a_battery_tells_power_only_while_it_discharges(tmp_path: Path) -> None:
    battery = tmp_path / "sys/class/power_supply/BAT0"
    write(battery, status="Discharging", current_now=1_500_000, voltage_now=12_000_000)
    meter = PowerMeter(tmp_path)
    meter.start()
    assert meter.stop() == pytest.approx(18.0)
    write(battery, power_now=11_000_000)
    assert meter.stop() == pytest.approx(11.0)
    write(battery, status="Charging")
    assert meter.stop() is None
    assert PowerMeter(tmp_path / "nothing").stop() is None


def test_a_model_that_learnt_other_data_keeps_its_cells_and_says_why_it_is_not_judged(
    fer2013: Path,
    first_epoch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],  # type: ignore[no-untyped-def]
) -> None:
    ours = first_epoch("fer2013_dense", tmp_path / "ours")
    other = first_epoch("fer2013_dense", tmp_path / "other")
    manifest = json.loads((other / "run.json").read_text())
    (other / "run.json").write_text(json.dumps(manifest | {"recipe": "jaffe_vgg16"}))
    argv = ["cost", str(ours), str(other), "--data", str(fer2013), "--out", str(tmp_path / "cost"), "--seconds", "0.1"]
    assert main([*argv, "--frameworks", "onnxruntime", "--precisions", "fp32", "--table", "jaffe"]) == 0
    told = capsys.readouterr().out
    first, second = json.loads((tmp_path / "cost" / "cost.json").read_text())["cells"]
    assert first["fps"] > 0
    assert second["fps"] > 0
    assert first["test_fps"] > 0
    assert (first["accuracy"] is None, second["accuracy"]) == (False, None)
    assert second["note"].startswith("not judged: ")
    assert "(1) not judged: " in told
    assert "Cost study, Table 1 (PC):" in told


def test_a_run_that_is_still_being_written_says_how_far_it_is(
    first_epoch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],  # type: ignore[no-untyped-def]
) -> None:
    run = first_epoch("fer2013_dense", tmp_path / "run")
    for name in ("model.onnx", "report.json"):
        (run / name).unlink()
    assert main(["cost", str(run), "--out", str(tmp_path / "cost")]) == 2
    message = f"got {run}, one that stands at epoch 1; wait for its end, or go on with `run … --resume`"
    assert message in capsys.readouterr().err


@pytest.mark.skipif(find_gpu() is not None, reason="this machine has a GPU")
def test_the_test_set_is_measured_in_a_process_of_its_own_and_never_on_the_cpu_in_place_of_a_gpu(
    fer2013: Path,
    first_epoch,
    tmp_path: Path,  # type: ignore[no-untyped-def]
) -> None:
    from training.common.export import read_spec

    model = first_epoch("fer2013_dense", tmp_path / "run") / "model.onnx"
    samples, spec = load_fer2013(fer2013).samples(), read_spec(model).input
    figures = measure_test_set(model, samples, spec)
    assert figures["images"] == len(samples)
    assert figures["fps_model"] >= figures["fps_with_decoding"] > 0
    assert figures["resident_mib"] < 300, "no TensorFlow in it"
    assert figures["gpu"] == "none on this machine"
    with pytest.raises(CostError, match="device must be one that this ONNX Runtime can use, got gpu"):
        measure_test_set(model, samples, spec, device="gpu")
