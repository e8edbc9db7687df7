"""``ferserve classify``, as its users and their scripts meet it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import builders
from tests.serving.commands import FERSERVE, run_command


def test_json_tells_every_head(folder: Path) -> None:
    """The bundled model has more heads than the emotion."""
    done = run_command("classify", folder / "face.jpg", "--json")
    (face,) = json.loads(done.stdout)["faces"]
    assert len(face["heads"]) > 1
    assert face["emotion"] in face["heads"][0]["probabilities"]
    for head in face["heads"]:
        assert sum(head["probabilities"].values()) == pytest.approx(1, abs=2e-3)


def test_without_a_detector_the_picture_itself_is_the_face(folder: Path, where: list[str]) -> None:
    done = run_command("classify", folder / "empty.png", "--detector", "none", "--json", *where)
    assert (done.returncode, done.stderr) == (0, "")
    (face,) = json.loads(done.stdout)["faces"]
    assert face["box"] == [0, 0, 100, 100], "the whole picture"


def test_classify_as_json(folder: Path, where: list[str]) -> None:
    done = run_command("classify", folder / "face.jpg", folder / "empty.png", "--json", *where)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["source"] == str(folder / "face.jpg")
    (face,) = first["faces"]
    assert len(face["box"]) == 4
    probabilities = face["heads"][0]["probabilities"]
    assert face["emotion"] == face["top"] == max(probabilities, key=probabilities.get)
    assert face["confidence"] == face["top_confidence"] == probabilities[face["emotion"]]
    assert face["sure"] == (face["certainty"] >= 0.5)
    assert (first["width"], first["height"], first["model_name"]) == (512, 512, "brightness")
    assert first["timings"]["total_ms"] > 0
    assert second["faces"] == []


def test_classify_goes_on_after_a_bad_file_and_says_so(folder: Path, where: list[str]) -> None:
    done = run_command("classify", folder / "damaged.jpg", "/nowhere.jpg", folder / "face.jpg", "--json", *where)
    assert done.returncode == 1
    damaged, missing, good = map(json.loads, done.stdout.splitlines())
    assert damaged["fault"]["code"] == "invalid_frame"
    assert missing["fault"] == {"code": "unreadable", "message": "No such file or directory"}
    assert len(good["faces"]) == 1
    complaints = done.stderr.splitlines()
    assert len(complaints) == 2
    assert complaints[0].startswith(f"ferserve: {folder / 'damaged.jpg'}: encoded must be a whole JPEG")
    assert complaints[1] == "ferserve: /nowhere.jpg: No such file or directory"


def test_classify_as_a_table(folder: Path, where: list[str]) -> None:
    done = run_command("classify", folder / "face.jpg", folder / "empty.png", *where)
    assert (done.returncode, done.stderr) == (0, "")
    assert "512x512" in done.stdout
    assert "bright" in done.stdout
    assert "no face" in done.stdout


NAMES = {b"IMG [edited].jpg": "IMG [edited].jpg", b"x[/b].jpg": "x[/b].jpg", b"caf\xe9.jpg": "caf\\udce9.jpg"}
"""Names of files, and how they are printed if stdout accepts only text."""


@pytest.mark.parametrize("encoding", ["utf-8:strict", "latin-1:strict", "ascii:surrogateescape"])
def test_names_of_files_are_told_as_they_are(folder: Path, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "x[").mkdir()
    for name in NAMES:
        shutil.copy(folder / "face.jpg", os.fsencode(tmp_path) + b"/" + name)
    command = [*FERSERVE, "classify", *NAMES, "--model", str(folder / "brightness.onnx")]
    how: Any = {
        "cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": os.getcwd(), "PYTHONIOENCODING": encoding},
        "capture_output": True, "timeout": 50,
    }  # fmt: skip
    table = subprocess.run(command, **how)
    assert (table.returncode, table.stderr) == (0, b"")
    for told in NAMES.values():
        assert f"{told} 512x512, " in table.stdout.decode("ascii")
    lines = subprocess.run([*command, "--json"], **how)
    assert (lines.returncode, lines.stderr) == (0, b"")
    assert [json.loads(line)["source"] for line in lines.stdout.splitlines()] == list(map(os.fsdecode, NAMES))


def test_folders_patterns_urls_and_the_standard_input(folder: Path, tmp_path: Path, where: list[str]) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "notes.txt").write_text("words")
    (tmp_path / "walk.gif").write_bytes(builders.animated("GIF"))
    (tmp_path / "sub" / "scan.tif").write_bytes(builders.encoded(builders.rgb_picture(), "TIFF"))
    face = folder / "face.jpg"
    sources = ["-", tmp_path, tmp_path / "s*" / "*.tif", face.as_uri()]
    with face.open("rb") as stdin:
        done = run_command("classify", *sources, "--recursive", "--json", *where, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, f"ferserve: {tmp_path}: 1 file that is no picture skipped\n")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    scan = str(tmp_path / "sub" / "scan.tif")
    assert [line["source"] for line in lines] == ["-", scan, str(tmp_path / "walk.gif"), scan, face.as_uri()]
    assert [line["degraded"] for line in lines] == ["", "", "only the first frame of a GIF was taken", "", ""]
    assert [len(line["faces"]) for line in lines if line["source"] in ("-", face.as_uri())] == [1, 1]


def test_a_table_says_what_was_left_out(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "walk.gif").write_bytes(builders.animated("GIF"))
    done = run_command("classify", tmp_path / "walk.gif", "--model", folder / "brightness.onnx")
    assert "(only the first frame of a GIF was taken)" in done.stdout


def test_what_is_no_picture_is_a_fault_unless_a_folder_holds_it(folder: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("no pixels here")
    sources = [notes, folder / "clip.avi", tmp_path, "rtsp://host/x", folder / "face.jpg"]
    done = run_command("classify", *sources, "--json", "--model", folder / "brightness.onnx")
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["source"] for line in lines] == list(map(str, sources))
    messages = [line["fault"] and line["fault"]["message"] for line in lines]
    assert messages[0].startswith("encoded must be a known image format")
    assert messages[1] == "source must be a picture, got a video; `ferserve stream` takes videos"
    assert messages[2].startswith("source must hold or match at least one picture, got none")
    assert messages[3].startswith("source must be a URL of http or https, got rtsp://host/x")
    assert messages[4] is None
    skipped, *faults = sorted(done.stderr.splitlines(), key=lambda line: "skipped" not in line)
    assert skipped == f"ferserve: {tmp_path}: 1 file that is no picture skipped"
    assert faults == [f"ferserve: {source}: {told}" for source, told in zip(sources, messages, strict=True) if told]


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "TIFF", "WEBP", "AVIF"])
def test_the_libraries_that_decode_say_nothing_of_their_own(folder: Path, tmp_path: Path, image_format: str) -> None:
    whole = builders.encoded(builders.rgb_picture(), image_format)
    for at in (len(whole) // 3, len(whole) // 2, len(whole) - 40):
        (tmp_path / f"{at}.x").write_bytes(whole[:at] + b"\xff\x11" * 20 + whole[at + 40 :])
        (tmp_path / f"{at}.cut").write_bytes(whole[:at])
    done = run_command("classify", *tmp_path.iterdir(), "--json", "--model", folder / "brightness.onnx")
    faults = [json.loads(line)["fault"] for line in done.stdout.splitlines()]
    assert len(faults) == 6
    assert len(done.stderr.splitlines()) == sum(fault is not None for fault in faults) >= 3


def test_the_three_emotions_example_asks_for_pictures_until_an_empty_line(folder: Path) -> None:
    example = Path(__file__).parents[3] / "examples" / "three_emotions.py"
    typed = f"{folder / 'face.jpg'}\n{folder / 'damaged.jpg'}\n\n"
    done = subprocess.run([sys.executable, example], input=typed, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{folder / 'damaged.jpg'}: encoded must be a whole JPEG")
    assert sorted(re.findall(r"^  (\w+) +[\d.]+ %", done.stdout, re.MULTILINE)) == ["angry", "happy", "sad"]
