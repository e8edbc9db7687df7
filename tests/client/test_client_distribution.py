"""ferserve-client, built and installed with its real dependencies into an environment of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ferserve import __version__
from tests import builders

ROOT = Path(__file__).parents[2]
MOST_MB = 60 - 26
"""In an environment without pip and setuptools, which are 26 MB."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("client-distribution")]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="needs hatchling, of the extra test")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT / "packaging/client", capture_output=True, check=True)
    (built,) = folder.iterdir()
    assert built.name == f"ferserve_client-{__version__}-py3-none-any.whl"
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment with the wheel and what it requires."""
    home = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", home / "bin/python"]
    done = subprocess.run([*pip, "install", "--quiet", wheel], capture_output=True, text=True, check=False)
    if done.returncode:
        probe = [*pip, "download", "--quiet", "--dest", home, "grpcio", "protobuf"]
        if subprocess.run(probe, capture_output=True, check=False).returncode:
            pytest.skip("needs a package index with grpcio and protobuf")
    assert done.returncode == 0, done.stderr
    return home / "bin/python"


def _run(python: Path, program: str, *arguments: str | Path) -> list[str]:
    command = [python, "-W", "error", "-c", program, *arguments]
    # Elsewhere than in the checkout, whose ferserve would come first.
    done = subprocess.run(command, cwd=python.parent, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_no_file_of_it_lies_where_those_of_ferserve_or_opencv_do(wheel: Path) -> None:
    own = f"ferserve_client-{__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert {name.partition("/")[0] for name in names} == {"ferserve_client", "ferserve_client.pth", own}
        for name in names:
            if name.startswith("ferserve_client/ferserve/") and not name.endswith(".proto"):
                assert archive.read(name) == (ROOT / name.removeprefix("ferserve_client/")).read_bytes()
        metadata = archive.read(f"{own}/METADATA").decode()
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra" not in line]
    assert required == ["Requires-Dist: grpcio<2,>=1.78", "Requires-Dist: protobuf<8,>=6.31.1"]


def test_it_is_small(python: Path) -> None:
    files = [path for path in python.parents[1].rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) < MOST_MB * 1e6


USE = """
import pathlib, sys, warnings
import ferserve
warnings.simplefilter("ignore", ferserve.FrameTimeWarning)
target, path = sys.argv[1:]
with ferserve.Client(target) as client:
    print([model.name for model in client.models()])
    result = client.classify(path, [(4, 8, 36, 44)])
    print(result.width, result.height, result.faces[0].emotion, len(result.faces[0].heads[0].probabilities))
    data = pathlib.Path(path).read_bytes()
    print([(r.frame_id, r.width, r.fault) for r in client.stream(data for _ in range(5))])
print([name for name in ("numpy", "cv2", "av", "onnxruntime") if name in sys.modules])
"""


def test_it_classifies_and_streams_pictures(python: Path, served: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(builders.jpeg(np.full((48, 64, 3), 90, np.uint8)))
    models, result, stream, loaded = _run(python, USE, served, path)
    assert "brightness" in models
    assert result.startswith("64 48 ")
    assert stream == str([(number, 64, None) for number in range(1, 6)])
    assert loaded == "[]"


LACKS = """
import sys
import ferserve

class Array:
    def __array__(self):
        raise AssertionError

def tell(do):
    try:
        do()
    except ferserve.MissingPackageError as error:
        print(error)
    except Exception as error:
        print("WRONG", repr(error))

with ferserve.Client(sys.argv[1]) as client:
    tell(lambda: list(client.stream(sys.argv[2])))
    tell(lambda: client.classify(Array()))
    tell(lambda: list(client.stream(0)))
    tell(lambda: ferserve.LocalClient)
    tell(lambda: ferserve.Engine)
"""


def test_what_it_lacks_says_what_to_install(python: Path, served: str, tmp_path: Path) -> None:
    clip = builders.video_file(tmp_path / "clip.avi", frames=2)
    opencv = "install one of OpenCV's wheels: `pip install opencv-python-headless`"
    whole = "ferserve-client is a client alone: `pip install ferserve`"
    assert _run(python, LACKS, served, clip) == [
        "cannot import av: No module named 'av'; videos need PyAV and NumPy: `pip install av numpy`",
        "cannot import numpy: No module named 'numpy'; arrays need NumPy: `pip install numpy`",
        f"cannot import cv2: No module named 'cv2'; {opencv}",
        f"cannot import ferserve.local: No module named 'ferserve.local'; {whole}",
        f"cannot import ferserve.engine: No module named 'ferserve.engine'; {whole}",
    ]


def test_beside_ferserve_the_full_package_is_found(python: Path) -> None:
    """Whichever was installed first."""
    packages = next(python.parents[1].glob("lib/python*/site-packages"))
    full = packages / "ferserve"
    full.mkdir()
    (full / "__init__.py").write_text("whole = True")
    try:
        assert _run(python, "import ferserve; print(ferserve.whole)") == ["True"]
    finally:
        shutil.rmtree(full)
