"""The packed file: pixels come back, no test image is learnt from, folds are disjoint, and it needs NumPy alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.emotion_lite.sets import make_faces
from training import __main__ as command
from training.emotion_lite.gpu import packing
from training.emotion_lite.gpu.folds import assign_folds
from training.emotion_lite.gpu.lossless import pack_images, unpack_images
from training.emotion_lite.gpu.packing import Packed, encode, pack_data, read_packed, write_packed
from training.errors import DataError

RNG = np.random.default_rng(5)


@pytest.mark.parametrize(
    "images",
    [
        RNG.integers(0, 256, (7, 48, 48)).astype(np.uint8),
        np.zeros((3, 48, 48), np.uint8),
        np.tile(np.arange(48, dtype=np.uint8) * 5, (2, 48, 1)),
        (np.indices((2, 5, 9)).sum(axis=0) % 2 * 255).astype(np.uint8),
        np.empty((0, 48, 48), np.uint8),
    ],
)
def test_pixels_come_back_as_they_were(images: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(unpack_images(pack_images(images), *images.shape[1:]), images)


def test_a_smooth_picture_takes_less_room_than_its_bytes() -> None:
    rows, columns = np.mgrid[:48, :48]
    images = np.stack([(rows * 2 + columns + k) % 200 for k in range(50)]).astype(np.uint8)
    assert sum(map(len, pack_images(images))) < images.nbytes / 10


def test_the_same_pixels_are_in_one_fold_and_folds_are_even() -> None:
    images = RNG.integers(0, 256, (400, 4, 4)).astype(np.uint8)
    images[200:300] = images[:100]
    folds = assign_folds(images, 4)
    np.testing.assert_array_equal(folds[200:300], folds[:100])
    distinct = np.concatenate([folds[:200], folds[300:]])
    assert np.bincount(distinct).tolist() == [75] * 4
    np.testing.assert_array_equal(folds, assign_folds(images, 4))


@pytest.fixture
def arrays() -> dict[str, NDArray[np.uint8]]:
    made = make_faces(60)
    made["images"][1] = made["images"][0]  # a training row with the pixels of a PublicTest row
    made["near_private_test"][[2, 3]] = True  # a training row and a PublicTest row
    made["near_public_test"][4] = True
    return made


def packed_of(arrays: dict[str, NDArray[np.uint8]], folder: Path, faces: NDArray[np.uint8] | None = None) -> Packed:
    np.savez(folder / "faces.npz", **arrays)
    return pack_data(folder / "faces.npz", 4, faces)


def test_no_copy_of_a_test_image_is_learnt_from(arrays: dict[str, NDArray[np.uint8]], tmp_path: Path) -> None:
    packed = packed_of(arrays, tmp_path)
    seen = {image.tobytes() for image in packed.images}
    assert len(packed.images) == 40 - 3
    for row in (1, 2, 4):
        assert arrays["images"][row].tobytes() not in seen
    assert not seen & {image.tobytes() for image in packed.test_images}
    # PublicTest row 3 is the second of its kind; it is judged, and the second file does not learn from it.
    assert len(packed.test_images) == 20
    assert np.flatnonzero(~packed.test_usable).tolist() == [1]


def test_faces_without_labels_come_last_with_empty_targets(
    arrays: dict[str, NDArray[np.uint8]], tmp_path: Path
) -> None:
    faces = RNG.integers(0, 256, (9, 48, 48)).astype(np.uint8)
    packed, alone = packed_of(arrays, tmp_path, faces), packed_of(arrays, tmp_path)
    assert packed.labelled.tolist() == [True] * 37 + [False] * 9
    np.testing.assert_array_equal(packed.images[-9:], faces)
    np.testing.assert_array_equal(packed.folds[:37], alone.folds)
    np.testing.assert_allclose(packed.targets[:37].sum(axis=1), 3, atol=0.01)


def test_the_file_holds_everything(arrays: dict[str, NDArray[np.uint8]], tmp_path: Path) -> None:
    packed = packed_of(arrays, tmp_path)
    write_packed(encode(packed), tmp_path / "packed.npz")
    read = read_packed(tmp_path / "packed.npz")
    for name in Packed.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(read, name), getattr(packed, name))
    assert read.digest == packed.digest
    assert read.take(read.folds > 0).digest != packed.digest


def test_other_files_and_files_too_large_to_carry_are_named(
    arrays: dict[str, NDArray[np.uint8]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = packed_of(arrays, tmp_path)
    with pytest.raises(DataError, match="must be a file of gpu-run --pack, got one without targets"):
        read_packed(tmp_path / "faces.npz")
    monkeypatch.setattr(packing, "MOST_BYTES", 1000)
    with pytest.raises(DataError, match="packed data must be at most 1,000 bytes"):
        write_packed(encode(packed), tmp_path / "packed.npz")
    assert not (tmp_path / "packed.npz").exists()


def test_the_command_packs(
    arrays: dict[str, NDArray[np.uint8]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "faces.npz", **arrays)
    out = tmp_path / "packed.npz"
    assert command.main(["gpu-run", "--pack", str(out), "--data", str(tmp_path / "faces.npz")]) == 0
    assert f"{out.stat().st_size:,} bytes; 37 rows, 37 of them with labels" in capsys.readouterr().out
    assert command.main(["gpu-run", "--pack", str(out)]) == 2
    assert "data must name the file to pack" in capsys.readouterr().err


def test_a_run_is_planned_and_read_with_numpy_alone(arrays: dict[str, NDArray[np.uint8]], tmp_path: Path) -> None:
    """Nothing can be installed on a lent machine."""
    write_packed(encode(packed_of(arrays, tmp_path)), tmp_path / "packed.npz")
    code = f"""
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {{"keras", "tensorflow", "torch", "cv2", "typer", "onnx", "onnxruntime", "grpc"}}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Nothing())
from pathlib import Path
from training.emotion_lite.gpu import driver, state
from training.emotion_lite.gpu.__main__ import main, tasks_of
from training.emotion_lite.gpu.gpu_plan import Plan
from training.emotion_lite.gpu.packing import read_packed
print(len(tasks_of(read_packed(Path({str(tmp_path / "packed.npz")!r})), Plan())))
main(["--table"])
"""
    root = Path(command.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "8"
    assert "| student-final |" in done.stdout
