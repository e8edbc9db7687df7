"""The command line, as its users and their scripts meet it."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ferserve import __version__
from ferserve.models.spec import METADATA_KEY
from tests import builders
from tests.serving.process import ServerProcess, serve_command
from tests.tiny_models import brightness_spec, write_brightness_model

FERSERVE = [sys.executable, "-W", "error", "-m", "ferserve"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, pictures and a clip."""
    folder = tmp_path_factory.mktemp("cli")
    write_brightness_model(folder / "brightness.onnx")
    (folder / "face.jpg").write_bytes(builders.jpeg(builders.astronaut()))
    (folder / "empty.png").write_bytes(builders.encoded(builders.rgb_picture().crop((0, 200, 100, 300)), "PNG"))
    (folder / "damaged.jpg").write_bytes(builders.jpeg(builders.astronaut())[:4000])
    builders.video_file(folder / "clip.avi", frames=12)
    return folder


@pytest.fixture(scope="module")
def target(folder: Path) -> Iterator[str]:
    with ServerProcess(serve_command(folder)) as server:
        yield server.address


def _run(*arguments: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    command = [*FERSERVE, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, **settings)


@pytest.fixture(params=["in this process", "a server"])
def where(request: pytest.FixtureRequest, folder: Path) -> list[str]:
    """The flags that choose who answers."""
    if request.param == "a server":
        return ["--target", request.getfixturevalue("target")]
    return ["--model", str(folder / "brightness.onnx")]


def test_version() -> None:
    done = _run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"ferserve {__version__}\n", "")


def test_help_names_every_command() -> None:
    done = _run("--help")
    assert done.returncode == 0
    for command in ("serve", "classify", "stream", "check", "models"):
        assert command in done.stdout
    assert "Exit codes: 0 done, 1 some inputs failed, 2 wrong usage" in " ".join(done.stdout.split())


def test_json_tells_every_head(folder: Path) -> None:
    """The bundled model has more heads than the emotion."""
    done = _run("classify", folder / "face.jpg", "--json")
    (face,) = json.loads(done.stdout)["faces"]
    assert face["heads"]
    assert face["emotion"] in face["probabilities"]
    for probabilities in face["heads"].values():
        assert sum(probabilities.values()) == pytest.approx(1, abs=2e-3)


def test_classify_as_json(folder: Path, where: list[str]) -> None:
    done = _run("classify", folder / "face.jpg", folder / "empty.png", "--json", *where)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["file"] == str(folder / "face.jpg")
    (face,) = first["faces"]
    assert set(face) == {"track_id", "box", "score", "emotion", "confidence", "probabilities"}
    assert len(face["box"]) == 4
    assert face["emotion"] == max(face["probabilities"], key=face["probabilities"].get)
    assert face["confidence"] == face["probabilities"][face["emotion"]]
    assert set(first["timings_ms"]) == {"queue", "decode", "detect", "preprocess", "infer", "total"}
    assert second["faces"] == []


def test_classify_goes_on_after_a_bad_file_and_says_so(folder: Path, where: list[str]) -> None:
    done = _run("classify", folder / "damaged.jpg", "/nowhere.jpg", folder / "face.jpg", "--json", *where)
    assert done.returncode == 1
    damaged, missing, good = map(json.loads, done.stdout.splitlines())
    assert damaged["error"]["code"] == "invalid_frame"
    assert missing["error"] == {"code": "unreadable", "message": "No such file or directory"}
    assert len(good["faces"]) == 1
    complaints = done.stderr.splitlines()
    assert len(complaints) == 2
    assert complaints[0].startswith(f"ferserve: {folder / 'damaged.jpg'}: encoded must be a whole JPEG")
    assert complaints[1] == "ferserve: /nowhere.jpg: No such file or directory"


def test_classify_as_a_table(folder: Path, where: list[str]) -> None:
    done = _run("classify", folder / "face.jpg", folder / "empty.png", *where)
    assert (done.returncode, done.stderr) == (0, "")
    assert "512x512" in done.stdout
    assert "bright" in done.stdout
    assert "no face" in done.stdout


NAMES = {b"IMG [edited].jpg": "IMG [edited].jpg", b"x[/b].jpg": "x[/b].jpg", b"caf\xe9.jpg": "caf\\udce9.jpg"}
"""Names of files, and how they are told where stdout takes no bytes that are no text."""


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
    assert [json.loads(line)["file"] for line in lines.stdout.splitlines()] == list(map(os.fsdecode, NAMES))


def test_descriptions_and_labels_are_told_as_they_are(tmp_path: Path) -> None:
    """A model may come from anybody; what it says of itself is no markup."""
    spec = brightness_spec("odd")
    head = dataclasses.replace(spec.heads[0], labels=("[/b]", ":smile:"))
    odd = dataclasses.replace(spec, description="[bold]odd[/bold] [/i]", heads=(head,))
    path = write_brightness_model(tmp_path / "odd.onnx", odd)
    for command in (["models", "list", "--model-dir", tmp_path], ["check", path]):
        done = _run(*command, env={**os.environ, "COLUMNS": "200"})
        assert (done.returncode, done.stderr) == (0, "")
        assert "[bold]odd[/bold] [/i]" in done.stdout
    assert "[/b], :smile:" in done.stdout
    (tmp_path / "face.jpg").write_bytes(builders.jpeg(builders.astronaut()))
    faces = _run("classify", tmp_path / "face.jpg", "--model", path)
    assert (faces.returncode, faces.stderr) == (0, "")
    assert ":smile:  0." in faces.stdout
    assert "[/b] 0." in faces.stdout


@pytest.mark.parametrize("columns", ["80", "120"])
def test_names_of_models_are_never_cut(columns: str) -> None:
    done = _run("models", "list", env={**os.environ, "COLUMNS": columns})
    assert "emotion-lite-int8" in done.stdout
    assert "…" not in done.stdout


def test_stream_as_json(folder: Path, where: list[str]) -> None:
    done = _run("stream", folder / "clip.avi", "--json", *where)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["frame_id"] for line in lines] == list(range(1, 13))
    assert all("dropped" not in line for line in lines), "a recording is answered frame by frame"
    assert {face["track_id"] for line in lines for face in line["faces"]} == {1}


def test_stream_as_lines(folder: Path, where: list[str]) -> None:
    done = _run("stream", folder / "clip.avi", *where)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 12
    assert lines[0].startswith("frame 1: #1 ")


def test_stream_in_a_terminal_is_a_live_table_and_a_summary(folder: Path) -> None:
    leader, follower = pty.openpty()
    command = [*FERSERVE, "stream", str(folder / "clip.avi"), "--model", str(folder / "brightness.onnx")]
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(command, stdout=follower, stderr=subprocess.PIPE, env=env)
    os.close(follower)
    shown = _read_all(leader)
    assert process.wait(20) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    for words in ("confidence", "12 at ", "12 with a face", "stages, ms a frame"):
        assert words in shown


def _read_all(leader: int) -> str:
    chunks = []
    try:
        while chunk := os.read(leader, 65536):
            chunks.append(chunk)
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(leader)
    return b"".join(chunks).decode(errors="replace")


def test_a_frame_that_cannot_be_read_is_said_and_counted(folder: Path, where: list[str]) -> None:
    done = _run("stream", folder / "damaged.jpg", "--json", *where)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "invalid_frame"
    assert done.stderr.startswith("ferserve: frame 1: encoded must be a whole JPEG")


def test_check_says_what_a_model_is_and_what_runs_it(folder: Path) -> None:
    done = _run("check", folder / "brightness.onnx")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("brightness 1", "dark, bright", "ONNX Runtime", "sha256", "infer", "kernels"):
        assert words in done.stdout


def test_check_refuses_a_file_that_does_not_say_what_it_is_and_shows_how(folder: Path) -> None:
    path = write_brightness_model(folder / "mute.onnx", embed=False)
    done = _run("check", path)
    path.unlink()
    assert done.returncode == 2
    assert METADATA_KEY in done.stderr
    assert '"heads"' in done.stderr


def test_models_list_and_info(folder: Path, target: str) -> None:
    for flags in (["--target", target], ["--model-dir", str(folder)]):
        listed = _run("models", "list", "--json", *flags)
        assert listed.returncode == 0, listed.stderr
        names = {json.loads(line)["name"] for line in listed.stdout.splitlines()}
        assert "brightness" in names
        table = _run("models", "list", *flags)
        assert "brightness" in table.stdout
        told = _run("models", "info", "brightness", "--json", *flags)
        assert json.loads(told.stdout)["heads"] == {"emotion": ["dark", "bright"]}
        assert _run("models", "info", "nobody", *flags).returncode == 2
    assert "default" in _run("models", "info").stdout


LONG = "x" * 300
"""More than a file's name may have, and a host's."""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["classify"], "Missing argument"),
        (["stream", "/nowhere.avi"], "source must be a readable file"),
        (["stream", "x", "--json", "--show"], "must be left out with --json"),
        (["stream", "x", "--delivery", "sometimes"], "sometimes"),
        (["classify", "x", "--min-score", "7"], "min_score must be from 0 to 1, got 7"),
        (["classify", "x", "--model", "/nowhere.onnx"], "nowhere.onnx"),
        (["classify", "x", "--target", "127.0.0.1:1"], "start one with `ferserve serve`"),
        (["classify", "x", "--target", "127.0.0.1:1", "--detector", "none"], "--detector must be left out"),
        (["classify", "x", "--detector", "none"], "--detector must be face-lite or yunet without --target"),
        (["stream", "x", "--detector", "none"], "--detector must be face-lite or yunet without --target"),
        (["classify", "x", "--detection-side", "-1"], "detection_side_px must be from 0 to 65535 px, got -1"),
        (["stream", "x", "--detection-side", "4096"], "; engine.max_detection_side_px sets this limit"),
        (["check", "/nowhere.onnx"], "nowhere.onnx"),
        (["check", "./x"], "x must be an ONNX file"),
        (["bench", "streams", "--cameras", "1", "--delivery", "sometimes"], "sometimes"),
        (["bench", "streams", "--cameras", "1", "--size", "640"], "--size must be WxH in px"),
        (["bench", "streams", "--cameras", "1", "--size", "16x480"], "--size must be from 32 to 8192, got 16"),
        (["bench", "streams", "--cameras", "1", "--source", "/nowhere.jpg"], "--source must be an existing file"),
        (["bench", "crops", "--seconds", "0"], "--seconds must be from 0.1 to 86400, got 0"),
        (["bench", "streams", "--cameras", "1", "--size", "²x3"], "--size must be WxH in px"),
        (["bench", "streams", "--cameras", "1", "--size", "9" * 5000 + "x480"], "--size must be WxH in px"),
        (["bench", "streams", "--cameras", "1", "--source", LONG + ".jpg"], "--source must be an existing file"),
        (["bench", "streams", "--cameras", "1", "--target", "127.0.0.1:²", "--raw-seconds", "0"], "must be HOST:PORT"),
        (["bench", "streams", "--cameras", "1", "--target", LONG + ":1", "--raw-seconds", "0"], "must be a running"),
        (["check", LONG + ".onnx"], "model must be a file that exists and can be reached"),
        (["check", LONG], "model must be one of"),
        (["check", "--model-dir", LONG], "model_dir must be a folder that exists"),
        (["tune", "--write", "--config", LONG], "config file must be"),
        (["tune", "--write"], "must come with --config FILE"),
        (["tune", "--config", "/nowhere.toml"], "config file must be readable"),
        (["nonsense"], "nonsense"),
    ],
)
def test_wrong_usage_is_exit_code_2_without_a_stack_trace(arguments: list[str], words: str, tmp_path: Path) -> None:
    picture = tmp_path / "x"
    picture.write_bytes(builders.jpeg(builders.astronaut()))
    done = _run(*arguments, cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_show_without_a_screen_is_a_configuration_error(folder: Path) -> None:
    env = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    done = _run("stream", folder / "clip.avi", "--show", "--model", folder / "brightness.onnx", env=env)
    assert done.returncode == 2
    assert done.stderr.startswith("ferserve: --show must have")
    assert len(done.stderr.splitlines()) == 1


def test_a_closed_pipe_is_not_a_stack_trace(folder: Path) -> None:
    command = [*FERSERVE, "stream", str(folder / "clip.avi"), "--json", "--model", str(folder / "brightness.onnx")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["frame_id"] == 1
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(20) in (0, 1)


def test_ctrl_c_ends_a_stream_as_its_end_does(tmp_path: Path, folder: Path) -> None:
    long = builders.video_file(tmp_path / "long.avi", frames=600)
    # A shell that runs the tests in the background has SIGINT ignored, and that is inherited.
    heed = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    arguments = ["stream", str(long), "--json", "--model", str(folder / "brightness.onnx")]
    with subprocess.Popen(
        [sys.executable, "-c", heed, *FERSERVE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert (process.wait(20), process.stderr.read()) == (0, "")
    assert len(rest.splitlines()) < 599


def test_configuration_comes_from_file_environment_and_flags(tmp_path: Path, folder: Path) -> None:
    config = tmp_path / "ferserve.toml"
    config.write_text(f'[engine]\nmodel = "{folder / "brightness.onnx"}"\nmin_score = 1.0\n')
    by_file = _run("classify", folder / "face.jpg", "--json", "--config", config)
    assert json.loads(by_file.stdout)["faces"] == []
    by_environment = _run(
        "classify", folder / "face.jpg", "--json", "--config", config,
        env={**os.environ, "FERSERVE_ENGINE_MIN_SCORE": "0.5"},
    )  # fmt: skip
    assert len(json.loads(by_environment.stdout)["faces"]) == 1
    config.write_text("[engine]\nmodle = 'x'\n")
    wrong = _run("classify", folder / "face.jpg", "--config", config)
    assert wrong.returncode == 2
    assert "the nearest valid one is 'model'" in wrong.stderr


def test_startup_is_not_slowed_by_what_a_command_does_not_need() -> None:
    code = "import sys, ferserve.cli; print([m for m in ('cv2', 'grpc', 'onnxruntime') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"
