"""A run that was killed goes on, and gives what it would have given."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from ferserve.annotation import work_folder
from ferserve.annotation.file_run import Progress, Report
from tests.unit.annotation.conftest import Annotate
from tests.unit.annotation.tables import digests
from tests.unit.sources import clips

FRAMES, PART = 26, 6


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.write(tmp_path_factory.mktemp("clip") / "clip.mp4", clips.moving(FRAMES), times_ms=_uneven_ms())


def _uneven_ms() -> list[int]:
    return [number * 33 + 7 * (number % 3) for number in range(FRAMES)]


def test_what_a_kill_leaves_at_any_frame_is_enough(tmp_path: Path, run: Annotate, clip: Path) -> None:
    """What lies on the disk when frame n was answered is all that a kill -9 leaves."""
    places = {1, PART + 1, 2 * PART + 3, FRAMES}

    def leave(progress: Progress) -> None:
        if progress.frames in places:
            shutil.copytree(tmp_path / "whole.partial", tmp_path / f"at{progress.frames}.partial")

    assert run(clip, tmp_path / "whole", tell=leave, chunk_frames=PART) == Report(frames=FRAMES)
    for place in places:
        seen: list[int] = []
        out = tmp_path / f"at{place}"
        assert run(clip, out, tell=lambda p, s=seen: s.append(p.resumed), chunk_frames=PART) == Report(frames=FRAMES)
        assert set(seen) <= {(place - 1) // PART * PART}  # frames that were not looked at again
        assert digests(out) == digests(tmp_path / "whole")
        assert not out.with_name(f"{out.name}.partial").exists()


def test_a_run_that_is_stopped_goes_on(tmp_path: Path, run: Annotate, clip: Path) -> None:
    stop = threading.Event()

    def tell(progress: Progress) -> None:
        if progress.frames == 2 * PART + 1:
            stop.set()

    assert run(clip, tmp_path / "out", tell=tell, stop=stop, chunk_frames=PART).interrupted
    assert not (tmp_path / "out").exists()
    assert run(clip, tmp_path / "out", chunk_frames=PART) == Report(frames=FRAMES)
    run(clip, tmp_path / "whole", chunk_frames=PART)
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")


def test_what_another_job_began_is_not_gone_on_with(tmp_path: Path, run: Annotate, clip: Path) -> None:
    stop = threading.Event()
    run(clip, tmp_path / "out", tell=lambda p: stop.set() if p.frames > PART else None, stop=stop, chunk_frames=PART)
    report = run(clip, tmp_path / "out", every=2, chunk_frames=PART)
    assert report.error.endswith("which another one began; pass --overwrite")
    assert run(clip, tmp_path / "out", every=2, chunk_frames=PART, overwrite=True) == Report(frames=FRAMES // 2)


def test_two_runs_do_not_write_one_output(
    tmp_path: Path, run: Annotate, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_folder, "LOCK_S", 0.1)
    second: list[Report] = []

    def tell(progress: Progress) -> None:
        if progress.frames == 3:
            second.append(run(clip, tmp_path / "out", overwrite=True))

    assert run(clip, tmp_path / "out", tell=tell, chunk_frames=PART) == Report(frames=FRAMES)
    assert "another run is at it" in second[0].error


def test_an_output_is_kept_unless_it_may_be_replaced(tmp_path: Path, run: Annotate, clip: Path) -> None:
    out = tmp_path / "out"
    run(clip, out, video=False)
    before = digests(out)
    assert "which exists" in run(clip, out, video=False).error
    assert run(clip, out, video=False, resume=True).skipped
    assert "which exists" in run(clip, out, video=False, resume=True, every=2).error
    assert digests(out) == before
    assert run(clip, out, video=False, every=2, overwrite=True) == Report(frames=FRAMES // 2)
    assert digests(out) != before
    (out / "notes.txt").write_text("mine")
    assert "must replace an output of annotate" in run(clip, out, overwrite=True).error
    assert (out / "notes.txt").read_text() == "mine"
