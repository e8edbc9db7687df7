"""The default model depends on the runtime."""

from pathlib import Path

import pytest

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import ModelNotFoundError
from ferserve.models.store import BUNDLED_DIR
from ferserve.runtime.default_model import bundled_model, has_vnni, open_store
from tests.tiny_models import write_brightness_model

# One line of what Linux says of each kind of processor.
SERVER_WITH_VNNI = "flags\t\t: fpu vme avx2 avx512f avx512_vnni\n"
DESKTOP_WITH_VNNI = "flags\t\t: fpu vme avx2 avx_vnni\n"
OLDER = "flags\t\t: fpu vme avx2 fma\n"
ARM = "Features\t: fp asimd asimddp i8mm\n"


@pytest.mark.parametrize(
    ("said", "model"),
    [
        (SERVER_WITH_VNNI, "emotion-lite-int8"),
        (DESKTOP_WITH_VNNI, "emotion-lite-int8"),
        (OLDER, "emotion-lite"),
        (ARM, "emotion-lite"),
    ],
)
def test_the_processor_decides(tmp_path: Path, said: str, model: str) -> None:
    cpu_info = tmp_path / "cpuinfo"
    cpu_info.write_text(f"processor\t: 0\n{said}bugs\t\t: none\n\nprocessor\t: 1\n{said}")
    assert bundled_model("cpu", cpu_info) == model


def test_a_missing_cpuinfo_means_no_vnni(tmp_path: Path) -> None:
    assert not has_vnni(tmp_path / "no such file")


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_gpu_gets_floats(device: str, tmp_path: Path) -> None:
    cpu_info = tmp_path / "cpuinfo"
    cpu_info.write_text(SERVER_WITH_VNNI)
    assert bundled_model(device, cpu_info) == "emotion-lite"  # type: ignore[arg-type]


def test_the_engine_says_which_one_it_took() -> None:
    with Engine(EngineConfig(threads=1)) as engine:
        taken = engine.model("")
        assert taken.name == bundled_model("auto")
        assert taken.is_default
        assert engine.runs_on.startswith(f"{taken.name} ")
        assert [m.name for m in engine.models() if m.is_default] == [taken.name]


@pytest.mark.parametrize("name", ["emotion-lite", "emotion-lite-int8"])
def test_who_names_a_model_gets_that_one(name: str) -> None:
    _, default = open_store(EngineConfig(model=name))
    assert default.spec.name == name


def test_a_path_or_a_folder_with_one_file_will_do(tmp_path: Path) -> None:
    write_brightness_model(tmp_path / "brightness.onnx")
    for model in (tmp_path, tmp_path / "brightness.onnx"):
        store, default = open_store(EngineConfig(model=str(model)))
        assert default.spec.name == "brightness"
        assert store.get("brightness") is default
    for model in ("nobody", ""):
        with pytest.raises(ModelNotFoundError, match="model must be one of"):
            open_store(EngineConfig(model=model))


@pytest.mark.parametrize("name", ["auto", "emotion-lite"])
def test_a_folder_does_not_take_the_name_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (name, "run"):
        Path(folder).mkdir()
        write_brightness_model(Path(folder) / "mine.onnx")
    _, default = open_store(EngineConfig(model=name))
    assert default.path.parent == BUNDLED_DIR
    for path in (f"./{name}", f"{name}/", "run", f"{name}/mine.onnx"):
        assert open_store(EngineConfig(model=path))[1].spec.name == "mine"


def test_models_of_a_folder_have_their_names_to_themselves_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    known = write_brightness_model(tmp_path / "brightness.onnx")
    Path("brightness").mkdir()
    _, default = open_store(EngineConfig(model="brightness", model_dir=str(tmp_path)))
    assert default.path == known
