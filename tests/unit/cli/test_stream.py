"""``ferserve stream``, as its users and their scripts meet it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

from tests import builders
from tests.serving.commands import FERSERVE, run_command
from tests.serving.terminal import read_terminal


def test_stream_as_json(folder: Path, where: list[str]) -> None:
    done = run_command("stream", folder / "clip.avi", "--json", *where)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["frame_id"] for line in lines] == list(range(1, 13))
    assert {line["source"] for line in lines} == {str(folder / "clip.avi")}
    assert all(line["dropped"] is None for line in lines), "a recording is answered frame by frame"
    assert {face["track_id"] for line in lines for face in line["faces"]} == {1}


def test_stream_as_lines(folder: Path, where: list[str]) -> None:
    done = run_command("stream", folder / "clip.avi", *where)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) == 12
    assert lines[0].startswith("frame 1: #1 ")


def test_stream_in_a_terminal_is_a_live_table_and_a_summary_per_video(folder: Path, tmp_path: Path) -> None:
    clip, other = folder / "clip.avi", builders.video_file(tmp_path / "other.avi", frames=3)
    leader, follower = pty.openpty()
    command = [*FERSERVE, "stream", str(clip), "/nowhere.avi", str(other), "--model", str(folder / "brightness.onnx")]
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(command, stdout=follower, stderr=subprocess.PIPE, env=env)
    os.close(follower)
    shown = read_terminal(leader)
    assert process.wait(20) == 1
    assert process.stderr is not None
    assert process.stderr.read().startswith(b"ferserve: /nowhere.avi: source must be a readable file")
    process.stderr.close()
    for words in ("confidence", str(clip), "12 at ", "12 with a face", str(other), "3 with a face"):
        assert words in shown
    assert shown.count("stages, ms per frame") == 2


def test_a_frame_that_cannot_be_read_is_said_and_counted(folder: Path, where: list[str]) -> None:
    done = run_command("stream", folder / "damaged.jpg", "--json", *where)
    assert done.returncode == 1
    assert json.loads(done.stdout)["fault"]["code"] == "invalid_frame"
    assert done.stderr.startswith(f"ferserve: {folder / 'damaged.jpg'}: frame 1: encoded must be a whole JPEG")


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


def test_several_videos_come_one_after_the_other(folder: Path, tmp_path: Path, where: list[str]) -> None:
    builders.video_file(tmp_path / "b.avi", frames=3)
    builders.video_file(tmp_path / "a.avi", frames=2)
    (tmp_path / "broken.avi").write_bytes(b"RIFF\0\0\0\0AVI and no more")
    (tmp_path / "notes.txt").write_text("words")
    sources = [folder / "clip.avi", tmp_path, "/nowhere.avi", tmp_path / "[b]*.avi"]
    done = run_command("stream", *sources, "--json", *where)
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    a, b, broken = (str(tmp_path / f"{name}.avi") for name in ("a", "b", "broken"))
    seen = [(line["source"], line["frame_id"]) for line in lines]
    clip = [(str(folder / "clip.avi"), number) for number in range(1, 13)]
    in_folder = [(a, 1), (a, 2), (b, 1), (b, 2), (b, 3), (broken, 0)]
    assert seen == [*clip, *in_folder, ("/nowhere.avi", 0), (b, 1), (b, 2), (b, 3), (broken, 0)]
    assert {line["frame_id"] for line in lines if line["fault"]} == {0}
    skipped, *faults = done.stderr.splitlines()
    assert skipped == f"ferserve: {tmp_path}: 1 file that is no video skipped"
    assert [line.split(": ")[1] for line in faults] == [broken, "/nowhere.avi", broken]


def test_lines_of_several_videos_have_headings(folder: Path, tmp_path: Path) -> None:
    clip = builders.video_file(tmp_path / "a.avi", frames=2)
    done = run_command("stream", clip, clip, "--model", folder / "brightness.onnx")
    assert [line.split(" ")[0] for line in done.stdout.splitlines()] == [f"{clip}:", "frame", "frame"] * 2


def test_the_standard_input_is_a_recording_if_it_is_a_file(folder: Path) -> None:
    with (folder / "clip.avi").open("rb") as stdin:
        done = run_command("stream", "-", "--json", "--model", folder / "brightness.onnx", stdin=stdin)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["frame_id"] for line in done.stdout.splitlines()] == list(range(1, 13))


def test_every_frame_of_an_animation_is_answered(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "walk.gif").write_bytes(builders.animated("GIF"))
    done = run_command("stream", tmp_path / "walk.gif", "--json", "--model", folder / "brightness.onnx")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
