"""A client in an environment that has only what a client needs."""

from __future__ import annotations

import ast
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import ferserve
from tests import builders

START = """
import sys
for absent in sys.argv[2].split():
    sys.modules[absent] = None
import ferserve
target, path = sys.argv[1], sys.argv[3]
"""
SERVER = "av cv2 onnxruntime rich typer"
ALL = f"{SERVER} numpy simplejpeg"


def _run(program: str, target: str, absent: str, path: str | Path = "") -> list[str]:
    command = [sys.executable, "-W", "ignore", "-c", START + program, target, absent, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


ARRAYS = """
import numpy as np
bgr = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
for encoding in ("raw", "jpeg"):
    with ferserve.Client(target, encoding=encoding) as client:
        results = [client.classify(bgr), *client.stream([bgr, bgr[:, :, 0]])]
        print(encoding, [(r.width, r.height, r.fault) for r in results])
"""


def test_a_client_sends_arrays_without_opencv_onnx_runtime_or_the_command_line(served: str) -> None:
    answers = "[" + ", ".join(["(64, 48, None)"] * 3) + "]"
    assert _run(ARRAYS, served, SERVER) == [f"raw {answers}", f"jpeg {answers}"]


FILES = """
with ferserve.Client(target) as client:
    data = open(path, "rb").read()
    boxes = [(4, 8, 36, 44), (10, 10, 20, 20)]
    results = [client.classify(path, boxes), client.classify(data, boxes), *client.stream([data, path])]
    print([(r.width, r.height, r.fault) for r in results])
    print(repr([r.to_dict()["faces"] for r in results[:2]]))
    first, second = results[0].faces, results[1].faces
    print(first == second, hash(first) == hash(second), {type(h.probabilities) for f in first for h in f.heads})
"""


def test_a_client_without_numpy_sends_files_and_gets_the_same_faces(served: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(builders.jpeg(np.full((48, 64, 3), 90, np.uint8)))
    sizes, faces, kinds = _run(FILES, served, ALL, path)
    assert sizes == str([(64, 48, None)] * 4)
    assert kinds == "True True {<class 'tuple'>}"
    with ferserve.Client(served) as client:
        result = client.classify(path, [(4, 8, 36, 44), (10, 10, 20, 20)])
    assert ast.literal_eval(faces) == [result.to_dict()["faces"]] * 2
    assert all(isinstance(head.probabilities, np.ndarray) for face in result.faces for head in face.heads)


@pytest.fixture
def website(tmp_path: Path) -> Iterator[str]:
    """The URL of a server of pictures."""
    (tmp_path / "picture.jpg").write_bytes(builders.jpeg(np.full((48, 64, 3), 90, np.uint8)))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/picture.jpg"
        server.shutdown()


PICTURE_URL = """
with ferserve.Client(target) as client:
    print([(r.width, r.height, r.fault) for r in client.stream(path)])
"""


def test_a_client_without_numpy_streams_a_picture_behind_a_url(served: str, website: str) -> None:
    assert _run(PICTURE_URL, served, ALL, website) == ["[(64, 48, None)]"]


MISSING = """
def tell(do):
    try:
        do()
    except ferserve.MissingPackageError as error:
        print(error.name.partition(".")[0], "|", str(error).rpartition("; ")[2])
    except Exception as error:
        print("WRONG", repr(error))

class Array:
    def __array__(self):
        raise AssertionError

with ferserve.Client(target, encoding="jpeg") as client:
    tell(lambda: client.classify(Array()))
    tell(lambda: list(client.stream([Array()])))
    tell(lambda: list(client.stream(path)))
    tell(lambda: list(client.stream(0)))
"""


def test_what_a_small_install_cannot_do_names_what_to_install(served: str, tmp_path: Path) -> None:
    clip = builders.video_file(tmp_path / "clip.avi", frames=2)
    array = "numpy | arrays need NumPy: `pip install numpy`"
    assert _run(MISSING, served, ALL, clip) == [
        array,
        array,
        "av | videos need PyAV and NumPy: `pip install av numpy`",
        "cv2 | install one of OpenCV's wheels: `pip install opencv-python-headless`",
    ]


NO_SIMPLEJPEG = """
import numpy as np
grey = np.full((48, 64), 90, np.uint8)
print(ferserve.Client(target).classify(grey).width)
try:
    ferserve.Client(target, encoding="jpeg").classify(grey)
except ferserve.MissingPackageError as error:
    print(error.name.partition(".")[0], "|", str(error).rpartition("; ")[2])
from ferserve.client.encoding import wants_jpeg
print(wants_jpeg("auto", "example.org:50051"))
"""


def test_without_simplejpeg_arrays_travel_as_they_are_unless_jpeg_is_asked_for(served: str) -> None:
    assert _run(NO_SIMPLEJPEG, served, f"{SERVER} simplejpeg") == [
        "64",
        "simplejpeg | arrays travel as JPEG by simplejpeg: `pip install simplejpeg`, or choose the encoding raw",
        "False",
    ]


def test_a_client_loads_numpy_no_earlier_than_its_first_result() -> None:
    code = "import sys, ferserve; ferserve.Client, ferserve.AsyncClient; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
