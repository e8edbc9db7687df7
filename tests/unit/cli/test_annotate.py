"""``ferserve annotate``."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ferserve.cli.app import app
from tests.serving.commands import FERSERVE
from tests.unit.sources import clips


def _annotate(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*map(str, FERSERVE), "annotate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Names that libraries take for something else, and files that are no videos."""
    folder = tmp_path_factory.mktemp("videos")
    clip = clips.write(folder / "clip.mp4", clips.moving(4)).read_bytes()
    for name in ("clip.mov", "with space é 100%d.mp4", "-dash.mp4", "http:x?*.mp4"):
        (folder / name).write_bytes(clip)
    (folder / "deeper").mkdir()
    (folder / "deeper" / "clip.mp4").write_bytes(clip)
    (folder / "broken.mp4").write_bytes(clip[:500])
    (folder / "notes.txt").write_text("none")
    return folder


@pytest.mark.timeout(180)
def test_a_folder_in_two_processes(tmp_path: Path, videos: Path) -> None:
    ran = _annotate(videos, "-r", "--out", tmp_path / "out", "--workers", 2, "--no-plots")
    assert ran.returncode == 1
    skipped, broken = ran.stderr.splitlines()
    assert skipped == f"ferserve: {videos}: 1 file that is no video skipped"
    assert broken.startswith(f"ferserve: {videos}/broken.mp4: ")
    made = sorted(str(path.parent.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("faces.csv"))
    assert made == ["-dash", "clip.mov", "clip.mp4", "deeper/clip", "http:x?*", "with space é 100%d"]
    assert len(ran.stdout.splitlines()) == len(made)
    assert json.loads((tmp_path / "out" / "-dash" / "summary.json").read_text())["faults"] == 0
    assert sorted(path.name for path in (tmp_path / "out" / "-dash").iterdir()) == [
        *("annotated.mp4", "faces.csv", "faces.parquet", "job.json", "summary.json")
    ]


@pytest.mark.timeout(180)
def test_what_exists_is_kept_and_the_others_go_on(tmp_path: Path, videos: Path) -> None:
    (tmp_path / "clip").mkdir()
    empty = tmp_path / "empty"
    empty.mkdir()
    arguments = (
        videos / "clip.mp4",
        videos / "-dash.mp4",
        empty,
        "--out",
        tmp_path,
        "--no-video",
        "--no-plots",
        "--quiet",
    )
    ran = _annotate(*arguments)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert len(ran.stderr.splitlines()) == 2
    assert f"got {tmp_path / 'clip'}, which exists" in ran.stderr
    assert "must hold or match at least one video" in ran.stderr
    assert (tmp_path / "-dash" / "faces.csv").exists()


@pytest.mark.timeout(180)
def test_a_model_that_is_missing_ends_the_command_in_any_process(tmp_path: Path, videos: Path) -> None:
    ran = _annotate(videos / "clip.mp4", "--out", tmp_path / "out", "--workers", 2, "--model", "none-such")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("ferserve: model must be one of")
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--start", "1:xx"], "must be seconds, MM:SS or HH:MM:SS"),
        (["--start", "10", "--end", "0:09.5"], "must be later than --start, got 9.5 s"),
        (["--detector", "none"], "the frames of a video are no faces"),
        (["--model", "none-such"], "model must be one of"),
    ],
)
def test_wrong_flags_are_told_before_anything_is_made(
    tmp_path: Path, videos: Path, flags: list[str], message: str
) -> None:
    ran = CliRunner().invoke(app, ["annotate", str(videos / "clip.mp4"), "--out", str(tmp_path / "out"), *flags])
    assert ran.exit_code != 0
    assert message in " ".join(f"{ran.output} {ran.exception}".replace("│", "").split())
    assert not (tmp_path / "out").exists()
