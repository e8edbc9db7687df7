"""Every video has one part, which is whole or not there; the same work is never done twice."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pyarrow.parquet as pq
import pytest

from ferserve.analysis import read_table
from ferserve.annotation.file_run import annotate
from ferserve.annotation.job import Job, Look, repeatable
from ferserve.cluster.annotate import annotate_archive
from ferserve.cluster.job import ClusterJob
from ferserve.cluster.pool import PoolSettings
from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.errors import ConfigError, MissingPackageError
from tests.cluster.archive import alone, archive, clip, command, parts

PART = "faces/cam0/000.avi.parquet"


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive(tmp_path_factory.mktemp("videos"), 3)


@pytest.fixture(scope="module")
def whole(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    alone(videos, out)
    return out


@pytest.fixture
def out(whole: Path, tmp_path: Path) -> Path:
    """An output that is whole."""
    for name, content in parts(whole).items():
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_bytes(content)
    return tmp_path / "out"


def test_a_part_holds_what_one_machine_writes(videos: Path, whole: Path, tmp_path: Path) -> None:
    video = videos / "cam0" / "000.avi"
    with Engine(repeatable(EngineConfig())) as engine:
        job = Job("cam0/000.avi", str(video), tmp_path / "one", Look(video=False))
        assert annotate(engine, job, threading.Event(), lambda _: None).error == ""
    expected = read_table(tmp_path / "one" / "faces.parquet")
    pd.testing.assert_frame_equal(read_table(whole / PART), expected)
    assert expected["outcome"].eq("face").all()
    assert read_table(whole)["source"].unique().tolist() == ["cam0/000.avi", "cam1/001.avi", "cam2/002.avi"]


def test_the_manifest_lists_every_part(whole: Path) -> None:
    manifest = json.loads((whole / "manifest.json").read_text("utf-8"))
    assert manifest["files"][0] == {"file": "cam0/000.avi", "part": PART, "rows": 6, "frames": 6, "faults": 0}
    assert len(manifest["files"]) == 3
    assert manifest["failed"] == []


def test_what_is_whole_is_kept(videos: Path, out: Path) -> None:
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    before = parts(out)
    assert all(report.skipped for report in alone(videos, out).values())
    assert parts(out) == before
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


@pytest.mark.parametrize("damage", ["missing", "half", "empty", "another model's"])
def test_what_is_not_whole_is_made_again(videos: Path, out: Path, damage: str) -> None:
    expected, part = parts(out), out / PART
    if damage == "missing":
        part.unlink()
    elif damage == "another model's":
        table = pq.read_table(part)
        metadata = {**table.schema.metadata, b"ferserve.made_of": b"{}"}
        pq.write_table(table.replace_schema_metadata(metadata), part)
    else:
        part.write_bytes(expected[PART][: len(expected[PART]) // 2 if damage == "half" else 0])
    (part.parent / ".000.avi.parquet.0123.part").write_bytes(b"a worker was killed here")
    done = alone(videos, out)
    assert [name for name, report in done.items() if not report.skipped] == ["cam0/000.avi"]
    assert parts(out) == expected


def test_another_video_or_setting_is_another_part(videos: Path, out: Path, tmp_path: Path) -> None:
    third = alone(videos, out, every=3)
    assert [report.frames for report in third.values()] == [2, 2, 2]
    assert read_table(out / PART)["frame"].tolist() == [1, 4]
    changed = archive(tmp_path / "changed", 1, frames=4)
    assert alone(changed, out)["cam0/000.avi"].frames == 4
    assert not alone(changed, out, overwrite=True)["cam0/000.avi"].skipped
    assert alone(changed, out)["cam0/000.avi"].skipped


def test_a_bad_video_leaves_the_others_alone(videos: Path, tmp_path: Path) -> None:
    source = archive(tmp_path / "videos", 1)
    (source / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    (source / "note.txt").write_text("no video")
    done = alone(source, tmp_path / "out")
    assert set(done) == {"cam0/000.avi", "broken.mp4"}
    assert "cannot be opened" in done["broken.mp4"].error
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text("utf-8"))
    assert [entry["file"] for entry in manifest["files"]] == ["cam0/000.avi"]
    assert manifest["failed"][0]["file"] == "broken.mp4"
    assert len(parts(tmp_path / "out")) == 2


@pytest.mark.parametrize("name", ["a b.avi", "-x.avi", "50%.avi", "k=v/a.avi", "é.avi", "caf\udce9.avi", "a[1]*?.avi"])
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    plain = clip(tmp_path / "plain.avi", frames=1)
    (tmp_path / "videos" / name).parent.mkdir(parents=True)
    os.rename(plain, tmp_path / "videos" / name)
    done = alone(tmp_path / "videos", tmp_path / "out")
    assert done[name].error == ""
    assert (tmp_path / "out" / done[name].part).is_file()
    assert "=" not in done[name].part
    assert alone(tmp_path / "videos" / name, tmp_path / "single")[Path(name).name].rows == 1


def test_sources_and_outputs_that_cannot_be_used(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "hollow").mkdir()
    (tmp_path / "file").write_text("")
    cases = [
        (tmp_path / "missing", tmp_path / "out", "cannot read .*missing: No such file or directory; check the path"),
        (tmp_path / "hollow", tmp_path / "out", "source must hold at least one video, got none in .*hollow"),
        (
            "ftp://host/videos",
            tmp_path / "out",
            "location must be a path or s3://BUCKET/PREFIX, got 'ftp://host/videos'",
        ),
        (videos, "s3://", "location must be s3://BUCKET/PREFIX, got 's3://'"),
        (videos, tmp_path / "file", "cannot write .*file: .*; check the path"),
    ]
    for source, out, message in cases:
        with pytest.raises(ConfigError, match=message):
            alone(source, out)


def test_without_ray_the_extra_is_named(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    _, reports = annotate_archive(ClusterJob(str(videos), str(tmp_path)), PoolSettings(), print)
    with pytest.raises(MissingPackageError, match=r"pip install 'ferserve\[ray\]'`, on every node"):
        next(reports)


def test_an_old_ray_is_refused(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(__version__="2.9.3"))
    _, reports = annotate_archive(ClusterJob(str(videos), str(tmp_path)), PoolSettings(), print)
    with pytest.raises(ConfigError, match=r"ray must be version 2\.44 or newer, got 2\.9\.3; `pip install -U ray`"):
        next(reports)


def test_the_command_refuses_in_one_line(tmp_path: Path) -> None:
    with command(tmp_path / "missing", "--out", tmp_path / "out") as run:
        out, err = run.communicate(timeout=50)
    assert (run.returncode, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("ferserve: cannot read ")
