"""The cost table holds what was measured, says why a cell is empty, and fails if a requested GPU is missing."""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from ferserve.errors import ConfigError
from ferserve.labels import FER2013
from tests.training import sets
from training.__main__ import main
from training.classification.run import untrained_spec
from training.common.export import export_onnx
from training.cost.artifacts import Artifacts
from training.cost.cell import CannotRun, Cell, CellJob, CostError, Measurement
from training.cost.frameworks import open_job
from training.cost.grid import CostOptions, fill, require_gpu_work
from training.cost.probes import GpuReading, Meter, find_gpu
from training.cost.report import MARKS, insert, plot, require_marks, write_tables
from training.cost.subjects import find_subjects
from training.cost.table import condensed, markdown, medians
from training.models.request import ModelRequest
from training.models.small import cnn3
from training.recipe import get_recipe


def measurement(**figures: float | None) -> Measurement:
    usual = {"fps": 10.0, "p50_ms": 1.0, "p99_ms": 2.0, "cpu_percent": 100.0, "resident_mib": 50.0}
    return Measurement(**(usual | figures))  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_table_of_a_trained_network(
    fer2013: Path, first_epoch: Callable[[str, Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = first_epoch("fer2013_dense", tmp_path / "run"), tmp_path / "cost"
    argv = ["cost", str(run), "--data", str(fer2013), "--out", str(out), "--seconds", "0.2"]
    assert main([*argv, "--frameworks", "keras,litert,onnxruntime,openvino,tensorrt"]) == 0

    told = json.loads((out / "cost.json").read_text())
    cells = {(cell["framework"], cell["precision"]): cell for cell in told["cells"]}
    assert len(cells) == 15
    for key in (("keras", "fp32"), ("onnxruntime", "fp32"), ("onnxruntime", "int8"), ("onnxruntime", "fp16")):
        cell = cells[key]
        assert cell["fps"] > 0, cell["reason"]
        assert 0 < cell["p50_ms"] <= cell["p99_ms"]
        assert cell["resident_mib"] > 10
        assert cell["file_mb"] > 0
        assert 0 <= cell["accuracy"] <= 1
    assert cells["onnxruntime", "fp32"]["accuracy"] == cells["keras", "fp32"]["accuracy"]
    assert cells["onnxruntime", "int8"]["file_mb"] < 0.5 * cells["onnxruntime", "fp32"]["file_mb"]
    for cell in cells.values():
        assert (cell["fps"] is None) == bool(cell["reason"])
    assert "GPU" in cells["tensorrt", "fp16"]["reason"]
    assert "dense layers only" in cells["keras", "int8"]["reason"]

    with (out / "cost.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 15
    assert (out / "cost.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "cost.md").read_text().count("| fer2013-dense |") == 15 + 1, "each cell, and the medians"
    assert told["about"]["processor"]
    assert "fer2013-dense" in capsys.readouterr().out


def test_untrained_networks_are_timed_by_the_name_of_their_recipe(tmp_path: Path) -> None:
    options = CostOptions(("fer2013_cnn3",), tmp_path, frameworks=("onnxruntime",), precisions=("fp32",), seconds=0.1)
    (cell,) = fill(options)
    assert cell.model == "fer2013_cnn3"
    assert cell.measurement is not None
    assert cell.measurement.accuracy is None


@pytest.mark.skipif(find_gpu() is not None, reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["cost", "fer2013_dense", "--out", str(tmp_path), "--device", "gpu", "--frameworks", "onnxruntime"]
    assert main([*argv, "--precisions", "fp32", "--seconds", "0.1"]) == 2
    message = capsys.readouterr().err
    assert "device gpu must do work, got no cell that ran: this machine has no GPU" in message
    (cell,) = json.loads((tmp_path / "cost.json").read_text())["cells"]
    assert (cell["device"], cell["fps"]) == ("gpu", None)
    assert "this machine has no GPU" in (tmp_path / "cost.md").read_text()


def test_a_gpu_that_did_no_work_is_an_error() -> None:
    """The cost study's Jetson: 0 % load, and frames came all the same, from the processor."""
    idle = Cell("vgg16", "onnxruntime", "fp32", "gpu", 1.0, measurement(gpu_load_percent=0.0))
    busy = Cell("vgg16", "keras", "fp32", "gpu", 1.0, measurement(gpu_load_percent=63.0))
    empty = Cell("vgg16", "litert", "fp32", "gpu", reason="no delegate")
    require_gpu_work([busy, empty])
    require_gpu_work([Cell("vgg16", "keras", "fp32", "cpu", 1.0, measurement())])
    with pytest.raises(CostError, match=r"got 0 % load in onnxruntime fp32 of vgg16: it ran on the processor"):
        require_gpu_work([busy, idle])


def test_meter_sees_the_processor_and_the_gpu() -> None:
    class Probe:
        def read(self) -> GpuReading:
            return GpuReading(40.0, 1000.0, 12.5, 8000.0)

    with Meter(Probe(), interval_s=0.01, before=GpuReading(3.0, 900.0, 9.0)) as meter:
        held = np.ones(4_000_000)
        end = time.process_time() + 0.15
        while time.process_time() < end:
            pass
    assert held.sum() == 4_000_000
    assert meter.usage.cpu_percent > 5
    assert meter.usage.resident_mib > 30
    usage = meter.usage
    assert (usage.gpu_load_percent, usage.gpu_memory_mib, usage.gpu_power_w) == (40, 1000, 12.5)
    assert (usage.gpu_load_before_percent, usage.gpu_load_after_percent, usage.gpu_memory_total_mib) == (3, 40, 8000)
    assert usage.system_used_mib is not None
    assert usage.system_total_mib is not None
    assert 30 < usage.system_used_mib < usage.system_total_mib


def test_what_cannot_run_says_why(tmp_path: Path) -> None:
    job = CellJob("tensorrt", "fp16", "gpu", tmp_path / "none.onnx", "input", "emotion", (48, 48, 1), 1, 0.1)
    assert CellJob.from_json(json.loads(json.dumps(job.to_json()))) == job
    with pytest.raises(CannotRun, match="TensorrtExecutionProvider"):
        open_job(job)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frameworks": ("caffe",)}, "frameworks must be among keras"),
        ({"precisions": ("int4",)}, "precisions must be among fp32"),
        ({"devices": ("cpu", "tpu")}, "devices must be among cpu, gpu, got 'tpu'"),
        ({"models": ()}, "models must be at least one"),
        ({"seconds": 0}, "seconds and threads must be above 0"),
    ],
)
def test_options_are_checked(change: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        CostOptions(**({"models": ("x",), "out": tmp_path} | change))  # type: ignore[arg-type]


def test_unknown_models_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "alexnet", "--out", str(tmp_path)]) == 2
    assert "model must be a recipe's name, 'bundled', a run's folder" in capsys.readouterr().err


def test_empty_columns_go_and_reasons_become_notes(tmp_path: Path) -> None:
    cells = [
        Cell("a", "keras", "fp32", "cpu", 1.0, measurement()),
        Cell("a", "tensorrt", "fp32", "cpu", reason="no GPU"),
        Cell("b", "tensorrt", "fp32", "cpu", reason="no GPU"),
    ]
    headings, rows, notes = condensed(cells)
    assert "GPU %" not in headings
    assert [row[4] for row in rows] == ["10.0", "(1)", "(1)"]
    assert notes == ["(1) no GPU"]
    assert "(1) no GPU" in markdown(cells)
    plot(cells, tmp_path / "cost.png")
    assert (tmp_path / "cost.png").stat().st_size > 0


def test_medians_stand_side_by_side() -> None:
    cells = [
        Cell("a", "onnxruntime", "int8", "cpu", 1.0, measurement(p50_ms=0.1234)),
        Cell("a", "keras", "fp32", "cpu", 1.0, measurement(p50_ms=2.0)),
        Cell("b", "keras", "fp32", "cpu", 1.0, measurement(p50_ms=171.26)),
        Cell("b", "tensorrt", "fp32", "cpu", reason="no GPU"),
    ]
    heading, _, first, second = medians(cells).splitlines()
    assert heading == "| p50 ms | keras fp32 cpu | onnxruntime int8 cpu |"
    assert first == "| a | 2 | 0.123 |"
    assert second == "| b | 171 |  |"


def test_a_page_shows_the_tables_between_its_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, out = tmp_path / "docs" / "page.md", tmp_path / "out"
    page.parent.mkdir()
    out.mkdir()
    page.write_text(f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n")
    about = {
        "processor": "P",
        "cores": 4,
        "busy_percent": 2.0,
        "threads": 1,
        "seconds": 2.0,
        "versions": {"keras": "3"},
    }
    write_tables([Cell("a", "keras", "fp32", "cpu", 1.0, measurement(p50_ms=7.5))], out, about)
    for _ in range(2):
        insert(out, page)
        text = page.read_text()
        assert text.startswith(f"before\n{MARKS[0]}\nP, 4 cores, 2 % busy before the first cell; 1 thread and 2 s")
        assert text.endswith(f"\n{MARKS[1]}\nafter\n")
        assert "| a | 7.5 |" in text
        assert "old" not in text
    assert page.with_name("cost.png").read_bytes() == (out / "cost.png").read_bytes()
    page.write_text("no marks\n")
    with pytest.raises(ConfigError, match=r"page\.md: file must hold the lines <!-- cost -->"):
        require_marks(page)
    assert main(["cost", "fer2013_dense", "--out", str(out), "--into", str(tmp_path / "none.md")]) == 2
    assert "none.md: file must hold the lines" in capsys.readouterr().err


def test_accuracy_is_that_of_the_runs_own_test_images(tmp_path: Path) -> None:
    """A set without official parts: the held-out images are evaluated, never those it learnt from."""
    data, run = sets.class_folders(tmp_path / "data", FER2013, per_class=10), tmp_path / "run"
    options = ["--epochs", "3", "--seed", "3", "--limit", "28"]
    assert main(["run", "fer2013_dense", "--data", str(data), "--out", str(run), *options]) == 0
    told = json.loads((run / "report.json").read_text())["parts"]["test"]["emotion"]["accuracy"]
    frameworks, precisions = ("onnxruntime",), ("fp32",)
    (cell,) = fill(CostOptions((str(run),), tmp_path, frameworks, precisions, seconds=0.1, data=data))
    assert cell.measurement is not None
    assert cell.measurement.accuracy == pytest.approx(told)
    (tmp_path / "alone").mkdir()
    (run / "model.onnx").rename(tmp_path / "alone" / "model.onnx")
    (cell,) = fill(CostOptions((str(tmp_path / "alone"),), tmp_path, frameworks, precisions, seconds=0.1, data=data))
    assert cell.measurement is not None
    assert cell.measurement.accuracy is None


def test_runs_of_one_recipe_are_each_measured_in_files_of_their_own(tmp_path: Path) -> None:
    """The second run's files, though the first one's have the same names and are newer."""
    rows = np.random.default_rng(1).random((8, 48, 48, 1), np.float32)
    recipe, runs, answers = get_recipe("fer2013_cnn3"), [tmp_path / "a", tmp_path / "b"], {}
    spec = untrained_spec(recipe, {"emotion": FER2013})  # type: ignore[arg-type]
    for label, run in enumerate(runs):
        run.mkdir()
        model = cnn3(ModelRequest((48, 48, 1), {"emotion": 7}, "none"))
        model.get_layer("emotion").bias.assign(3.0 * np.eye(7)[label])
        export_onnx(model, run / "model.onnx", spec, rows)
        os.utime(run / "model.onnx", (0, 0))
    for subject in find_subjects([str(run) for run in runs], tmp_path):
        files = Artifacts(subject, tmp_path, rows)
        for precision in ("fp32", "fp16", "int8"):
            session = onnxruntime.InferenceSession(files.file("onnxruntime", precision))
            answers[subject.onnx.parent.name, precision] = session.run(None, {"input": rows})[0]
    for (run, _), answer in answers.items():
        np.testing.assert_allclose(answer, answers[run, "fp32"], atol=0.05)
    assert np.abs(answers["a", "fp32"] - answers["b", "fp32"]).max() > 0.5


def test_a_file_that_is_int8_already_fills_its_own_cell_alone(tmp_path: Path) -> None:
    options = CostOptions(("bundled",), tmp_path, frameworks=("onnxruntime",), seconds=0.1)
    cells = {(cell.model, cell.precision): cell for cell in fill(options)}
    assert cells["emotion-lite", "fp32"].measurement is not None
    assert cells["emotion-lite-int8", "int8"].measurement is not None
    assert cells["emotion-lite-int8", "fp32"].reason == "the file is INT8 already"
