"""One wheel, several instruction sets: the same bits from each, and a way to force the plain one."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from ferserve import _kernels
from ferserve.vision import preprocess
from ferserve.vision.preprocess import letterbox_into, preprocess_into
from tests.kernels import cases

SHOW = "from ferserve.vision import preprocess; print(preprocess.features()['path'])"


def path_in_a_new_process(value: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "FERSERVE_KERNELS": value}
    return subprocess.run([sys.executable, "-c", SHOW], env=env, capture_output=True, text=True, check=False)


def test_features_name_the_path_in_use(path: str) -> None:
    assert preprocess.features()["path"] == path
    assert preprocess.features()["available"][-1] == "plain"


def test_the_environment_forces_a_path(path: str) -> None:
    assert path_in_a_new_process(path).stdout.strip() == path


def test_an_unknown_path_is_refused() -> None:
    failed = path_in_a_new_process("mmx")
    assert failed.returncode != 0
    assert "FERSERVE_KERNELS must be one of" in failed.stderr
    assert "got 'mmx'" in failed.stderr
    with pytest.raises(ValueError, match=r"FERSERVE_KERNELS must be one of .*plain.* got 'mmx'"):
        _kernels.use_path("mmx")


@pytest.mark.parametrize("seed", range(60))
def test_every_path_gives_the_bits_of_the_plain_one(path: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    spec = cases.random_spec(rng, most=90)
    color = cases.COLORS[rng.integers(3)]
    height, width = rng.integers(1, 400, 2)
    image = rng.integers(0, 256, (height, width) if color == "luma" else (height, width, 3), np.uint8)
    boxes = cases.random_boxes(rng, height, width, 3)
    marks = cases.random_landmarks(rng, height, width, 3)
    here, plain = np.zeros((2, 3, *spec.row_shape), spec.dtype)
    preprocess_into(image, color, boxes, spec, here, marks)
    _kernels.use_path("plain")
    preprocess_into(image, color, boxes, spec, plain, marks)
    np.testing.assert_array_equal(here, plain)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("shape", [(480, 640), (333, 517)])
def test_every_path_gives_the_same_letterbox(path: str, dtype: str, shape: tuple[int, int]) -> None:
    luma = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    here, plain = np.zeros((2, 240, 320), dtype)
    letterbox_into(luma, here)
    _kernels.use_path("plain")
    letterbox_into(luma, plain)
    np.testing.assert_array_equal(here, plain)
