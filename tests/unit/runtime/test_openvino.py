"""OpenVINO as a backend; runs where it is installed."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from ferserve.errors import ConfigError, ModelSpecError
from ferserve.models.store import BUNDLED_DIR
from ferserve.runtime import auto, backends, open_session
from ferserve.runtime.base import Session, trial_feeds
from tests.tiny_models import write_brightness_model

MODEL = BUNDLED_DIR / "emotion-lite.onnx"


def test_without_it_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(
        ConfigError, match=r"needs the Python package openvino, got none; pip install 'ferserve\[openvino\]'"
    ):
        open_session(MODEL, "openvino")


def test_it_gives_the_numbers_of_onnx_runtime() -> None:
    pytest.importorskip("openvino", reason="needs openvino, of the extra openvino")
    session, cpu = open_session(MODEL, "openvino"), open_session(MODEL, "cpu")
    assert session.uses_cpu
    assert [info.name for info in session.outputs] == [info.name for info in cpu.outputs]
    feeds = trial_feeds(cpu.inputs)
    expected = cpu.run(feeds)
    answers: list[list[np.ndarray]] = []
    threads = [threading.Thread(target=lambda: answers.append(session.run(feeds))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer in [*answers, session.run_first(feeds, 30)]:
        for wanted, got in zip(expected, answer, strict=True):
            np.testing.assert_allclose(got, wanted, atol=1e-5)
    assert session.placement().elsewhere == 0


def test_a_broken_file_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="needs openvino, of the extra openvino")
    (tmp_path / "m.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelSpecError, match=r"m\.onnx must be a model that OpenVINO can load, got: "):
        open_session(tmp_path / "m.onnx", "openvino")


@pytest.mark.parametrize(("share", "taken"), [(0.5, True), (0.95, False)])
def test_auto_takes_it_if_it_is_measured_to_be_faster(
    share: float, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_brightness_model(tmp_path / "m.onnx")
    other: Session = open_session(path, "cpu")
    candidate = auto.Candidate("OpenVINO", lambda: True, lambda path: other)
    monkeypatch.setattr(auto, "_refused", {})
    monkeypatch.setattr(auto, "_share_of_time", lambda session, best: share)
    monkeypatch.setattr(backends, "_PROCESSORS", (candidate,))
    monkeypatch.setattr(backends, "_gpus", lambda cache_dir: ())
    assert (open_session(path, "auto") is other) is taken
