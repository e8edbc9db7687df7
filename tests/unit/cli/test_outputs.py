"""``ferserve stream`` with outputs beside what it shows, and with pictures in a terminal."""

from __future__ import annotations

import csv
import io
import os
import pty
import re
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
from rich.console import Console

from ferserve.cli.terminal_picture import TerminalPicture
from ferserve.types import Face, FrameResult, HeadResult
from tests.serving.commands import FERSERVE, run_command
from tests.serving.terminal import read_terminal


def test_an_output_that_fails_is_told_and_the_others_go_on(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "full.mp4").symlink_to("/dev/full")
    outputs = ["--csv", tmp_path / "out.csv", "--save", tmp_path / "full.mp4", "--overwrite"]
    done = run_command("stream", folder / "clip.avi", *outputs, "--model", folder / "brightness.onnx")
    assert done.returncode == 1
    assert done.stderr == f"ferserve: {tmp_path / 'full.mp4'}: No space left on device; no more results go there\n"
    assert len(done.stdout.splitlines()) == 12
    assert _frame_ids(tmp_path / "out.csv") == list(range(1, 13))


def test_frames_are_drawn_in_a_terminal_without_a_screen(folder: Path, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    outputs = ["--show", "--save", str(tmp_path / "out.mp4"), "--model", str(folder / "brightness.onnx")]
    env = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "NO_COLOR")}
    env |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "60", "LINES": "30"}
    command = [*FERSERVE, "stream", str(folder / "clip.avi"), *outputs]
    process = subprocess.Popen(command, stdout=follower, stderr=subprocess.PIPE, env=env)
    os.close(follower)
    shown = read_terminal(leader)
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(20) == 0
    plain = re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", shown)
    rows = [line.strip() for line in plain.splitlines() if "▀" in line]
    assert len(rows) >= 10
    assert max(map(len, rows)) <= 60
    assert any(re.search(r"▀ #1 \w+ \d\.\d\d ▀", row) for row in rows), "the caption is text"
    assert "12 with a face" in plain
    assert re.search("38;2;\\d+;\\d+;\\d+", shown)
    with av.open(tmp_path / "out.mp4") as clip:
        assert len(list(clip.decode(video=0))) == 12


def _frame_ids(path: Path) -> list[int]:
    with path.open(newline="") as file:
        return [int(row["frame_id"]) for row in csv.DictReader(file)]


def _picture() -> TerminalPicture:
    bgr = np.zeros((40, 80, 3), np.uint8)
    bgr[:20], bgr[20:] = (0, 0, 255), (255, 0, 0)
    head = HeadResult.of("emotion", ("sad", "happy"), np.array([0.1, 0.9], np.float32), frozenset())
    return TerminalPicture(bgr, FrameResult(1, faces=(Face((8, 16, 40, 32), 0.9, (head,), track_id=3),)), rows=10)


@pytest.mark.parametrize(
    ("colors", "red_over_red"),
    [("truecolor", "38;2;248;0;0;48;2;248;0;0"), ("256", "38;5;196;48;5;196"), ("standard", "31;41"), (None, "▀▀▀")],
)
def test_lesser_terminals_get_the_colors_that_they_have(colors: str | None, red_over_red: str) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system=colors, width=40)  # type: ignore[arg-type]
    console.print(_picture())
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert red_over_red in text
    lines = re.sub("\x1b\\[[0-9;]*m", "", text).splitlines()
    assert [len(line) for line in lines] == [40] * 10
    assert lines[3][4:19] == " #3 happy 0.90 "


@pytest.mark.parametrize(("width", "rows"), [(1, 1), (3, 50), (400, 2)])
def test_any_terminal_has_room(width: int, rows: int) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=width)
    picture = _picture()
    picture = TerminalPicture(np.zeros((480, 640, 3), np.uint8), picture.result, rows)
    lines = console.render_lines(picture)
    assert 1 <= len(lines) <= max(rows, 1)
    assert all(sum(segment.cell_length for segment in line) <= width for line in lines)
