"""What a user gets who installs ferserve and changes nothing: the bundled models through a server process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ferserve
from tests import builders
from tests.serving.process import ServerProcess

ROOT = Path(__file__).parents[2]
FACES = Path(os.environ.get("FERSERVE_SHARED", ROOT.parent / "shared")) / "data" / "faces"

with_photographs = pytest.mark.skipif(not FACES.is_dir(), reason=f"needs the photographs in {FACES}")


@pytest.fixture(scope="module")
def client() -> Iterator[ferserve.Client]:
    command = [sys.executable, "-W", "error", "-m", "ferserve", "serve", "--port", "0"]
    with ServerProcess(command) as server, ferserve.Client(server.address) as client:
        yield client


def test_the_astronaut_is_happy(client: ferserve.Client) -> None:
    (face,) = client.classify(builders.astronaut()).faces
    assert face.emotion == "happiness"
    assert face.confidence > 0.5
    assert sum(face.probabilities.values()) == pytest.approx(1, abs=1e-4)


def test_nobody_is_nobody(client: ferserve.Client) -> None:
    result = client.classify(builders.empty_scene())
    assert result.ok
    assert result.faces == ()


def test_a_moving_face_is_followed(client: ferserve.Client) -> None:
    results = list(client.stream(builders.jpeg_clip(60)))
    assert [r.frame_id for r in results] == list(range(1, 61))
    seen = [r for r in results if r.faces]
    assert len(seen) >= 0.95 * len(results)
    happy = sum(r.faces[0].emotion == "happiness" for r in seen)
    assert happy >= 0.9 * len(seen)


@pytest.mark.slow
def test_the_demo_shows_a_face_and_leaves_well() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "examples" / "demo.py")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ferserve ready on 127.0.0.1:" in done.stdout
    assert "300 at " in done.stdout
    assert "stages, ms per frame" in done.stdout


@with_photographs
def test_a_photograph_without_faces(client: ferserve.Client) -> None:
    result = client.classify(FACES / "no-faces.jpg")
    assert result.ok
    assert result.faces == ()


@with_photographs
def test_the_astronaut_as_a_png_file(client: ferserve.Client) -> None:
    (face,) = client.classify(FACES / "astronaut.png").faces
    assert face.emotion == "happiness"


@with_photographs
@pytest.mark.slow
@pytest.mark.parametrize("name", ["test.mp4", "woman2.mp4"])
def test_a_clip_with_a_face_on_every_frame(client: ferserve.Client, name: str) -> None:
    results = list(client.stream(FACES / name))
    assert len(results) > 100
    assert all(r.ok for r in results)
    assert sum(bool(r.faces) for r in results) >= 0.95 * len(results)
