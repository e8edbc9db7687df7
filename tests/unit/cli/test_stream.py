"""``ferserve stream``, as its users and their scripts meet it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

from tests import builders
from tests.serving.commands import FERSERVE, run_command


def test_stream_as_json(folder: Path, where: list[str]) -> None:
    done = run_command("stream", folder / "clip.avi", "--json", *where)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["frame_id"] for line in lines] == list(range(1, 13))
    assert all(line["dropped"] is None for line in lines), "a recording is answered frame by frame"
    assert {face["track_id"] for line in lines for face in line["faces"]} == {1}


def test_stream_as_lines(folder: Path, where: list[str]) -> None:
    done = run_command("stream", folder / "clip.avi", *where)
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
    for words in ("confidence", "12 at ", "12 with a face", "stages, ms per frame"):
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
    done = run_command("stream", folder / "damaged.jpg", "--json", *where)
    assert done.returncode == 1
    assert json.loads(done.stdout)["fault"]["code"] == "invalid_frame"
    assert done.stderr.startswith("ferserve: frame 1: encoded must be a whole JPEG")


def test_show_without_a_screen_is_a_configuration_error(folder: Path) -> None:
    env = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    done = run_command("stream", folder / "clip.avi", "--show", "--model", folder / "brightness.onnx", env=env)
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


def test_ctrl_c_ends_a_recording_before_its_end(tmp_path: Path, folder: Path) -> None:
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
        assert (process.wait(20), process.stderr.read()) == (130, "")
    assert len(rest.splitlines()) < 599
