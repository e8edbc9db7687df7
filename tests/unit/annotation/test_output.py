"""What is written of a clip: times, rows, pictures, sound."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.container import OutputContainer

from ferserve.annotation.file_run import Report
from tests import builders
from tests.unit.annotation.conftest import Annotate
from tests.unit.annotation.tables import digests, frame_times_s, probed, rows, times_s
from tests.unit.sources import clips

VFR_MS = [0, 33, 70, 71, 140, 141, 300, 333, 520, 521, 560, 700]


def _with_sound(path: Path, pictures: Sequence[builders.Pixels], codec: str, seconds: float) -> Path:
    """``pictures`` at 30 FPS with B-frames, beside a tone of 440 Hz."""
    with av.open(str(path), "w") as container:
        assert isinstance(container, OutputContainer)
        video: Any = container.add_stream("libx264", rate=30, options={"bf": "3"})
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = "yuv420p"
        sound: Any = container.add_stream(codec, rate=48_000, layout="mono")
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(video.encode(frame))
        wave = np.sin(np.arange(round(seconds * 48_000)) * 2 * np.pi * 440 / 48_000) * 8000
        for start in range(0, len(wave), 1024):
            samples = av.AudioFrame.from_ndarray(wave[None, start : start + 1024].astype(np.int16), "s16", "mono")
            samples.rate, samples.pts, samples.time_base = 48_000, start, Fraction(1, 48_000)
            container.mux(sound.encode(samples))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    return path


def _shifts(path: Path) -> list[int]:
    """How many samples each packet of the sound is from the video's beginning."""
    with av.open(str(path), "r") as container:
        packets = container.demux(container.streams.audio[0])
        return [round(p.pts * p.time_base * 48_000) for p in packets if p.size and p.pts is not None and p.time_base]


@pytest.mark.parametrize(
    ("suffix", "options", "turn_deg", "times_ms"),
    [
        (".mp4", {"bf": "3", "g": "250"}, 0, VFR_MS),
        (".mkv", {"bf": "2"}, 0, [at + 1234 for at in VFR_MS]),
        (".mp4", {"bf": "0"}, 90, None),
        (".ts", {"bf": "3"}, 0, None),
    ],
)
def test_times_are_the_containers(
    tmp_path: Path,
    run: Annotate,
    suffix: str,
    options: dict[str, str],
    turn_deg: int,
    times_ms: Sequence[int] | None,
) -> None:
    pictures = clips.moving(len(VFR_MS))
    path = tmp_path / f"clip{suffix}"
    clips.write(path, pictures, times_ms=times_ms, options=options, turn_deg=turn_deg)
    assert run(path, tmp_path / "out", chunk_frames=5) == Report(frames=len(pictures))
    times = times_s(tmp_path / "out")
    steps = [number / 30 for number in range(len(pictures))] if times_ms is None else [at / 1000 for at in times_ms]
    assert [at - times[0] for at in times] == pytest.approx([at - steps[0] for at in steps], abs=6e-4)
    if suffix != ".ts":
        assert times[0] == pytest.approx(steps[0], abs=6e-4)
    assert frame_times_s(tmp_path / "out" / "annotated.mp4") == pytest.approx(times, abs=6e-4)
    told = [float(text) for text in probed(path, "frame=pts_time")]
    assert times == pytest.approx(told, abs=1e-6)


def test_every_row_is_of_the_frame_it_names(tmp_path: Path, run: Annotate) -> None:
    clip = clips.write(tmp_path / "clip.mp4", clips.moving(14))
    assert run(clip, tmp_path / "whole").frames == 14
    look = {"every": 3, "start_s": 0.1, "end_s": 0.4, "chunk_frames": 2}
    assert run(clip, tmp_path / "part", **look) == Report(frames=3)
    part = rows(tmp_path / "part")
    assert [(row["frame"], row["time_s"]) for row in part] == [("1", "0.1"), ("4", "0.2"), ("7", "0.3")]
    by_time = {row["time_s"]: row for row in rows(tmp_path / "whole")}
    for row in part:
        assert float(row["x"]) == pytest.approx(float(by_time[row["time_s"]]["x"]), abs=6)
    assert frame_times_s(tmp_path / "part" / "annotated.mp4") == pytest.approx([0.1, 0.2, 0.3], abs=6e-4)


@pytest.mark.parametrize(("suffix", "codec", "copied"), [(".mp4", "aac", True), (".mkv", "pcm_s16le", False)])
def test_the_sound_stays(tmp_path: Path, run: Annotate, suffix: str, codec: str, copied: bool) -> None:
    clip = _with_sound(tmp_path / f"clip{suffix}", clips.moving(20), codec, 20 / 30)
    run(clip, tmp_path / "out", chunk_frames=8)
    with av.open(str(tmp_path / "out" / "annotated.mp4"), "r") as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        frames = list(container.decode(audio=0))
        samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])[2048:-2048]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert spectrum.argmax() * 48_000 / len(samples) == pytest.approx(440, abs=3)
    if copied:
        assert _shifts(tmp_path / "out" / "annotated.mp4") == _shifts(clip)


def test_boxes_are_drawn_where_the_rows_say(tmp_path: Path, run: Annotate) -> None:
    """On a portrait clip, whose frames lie on their side in the file."""
    picture = builders.scene(0.3, 240, 320)
    lying = np.ascontiguousarray(np.rot90(picture))
    clip = clips.write(tmp_path / "clip.mp4", [lying] * 6, turn_deg=-90)
    run(clip, tmp_path / "out")
    row = rows(tmp_path / "out")[-1]
    assert (row["frame_width"], row["frame_height"], row["outcome"]) == ("240", "320", "face")
    with av.open(str(tmp_path / "out" / "annotated.mp4"), "r") as container:
        *_, last = container.decode(video=0)
        drawn = last.to_ndarray(format="bgr24").astype(int)
    assert drawn.shape == (320, 240, 3)
    changed = np.abs(drawn - picture).max(axis=2) > 60
    x0, y0, y1 = round(float(row["x"])), round(float(row["y"])), round(float(row["y"]) + float(row["height"]))
    assert changed[y0 + 8 : y1 - 8, x0 - 1 : x0 + 2].any(axis=1).mean() > 0.8
    x1 = round(float(row["x"]) + float(row["width"]))
    inside = changed[y0 + 10 : y1 - 10, x0 + 10 : x1 - 10]
    assert inside.mean() < 0.1


def test_pictures_in_order_are_a_video(tmp_path: Path, run: Annotate, engine: Any) -> None:
    import threading

    from ferserve.annotation.file_run import annotate
    from ferserve.annotation.job import Job, Look

    paths = []
    for number in range(4):
        paths.append(tmp_path / f"{number:03}.jpg")
        paths[-1].write_bytes(builders.jpeg(builders.scene(number / 10, 321, 241)))
    job = Job("shots", tuple(map(str, paths)), tmp_path / "out", Look(sequence_fps=10))
    assert annotate(engine, job, threading.Event(), lambda progress: None) == Report(frames=4)
    assert times_s(tmp_path / "out") == [0.0, 0.1, 0.2, 0.3]
    assert frame_times_s(tmp_path / "out" / "annotated.mp4") == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_parquet_holds_the_rows_of_the_csv(tmp_path: Path, run: Annotate) -> None:
    import pyarrow.parquet as pq

    run(clips.write(tmp_path / "clip.mp4", clips.moving(6)), tmp_path / "out", chunk_frames=4, video=False)
    table = pq.read_table(tmp_path / "out" / "faces.parquet").to_pylist()
    for plain, typed in zip(rows(tmp_path / "out"), table, strict=True):
        assert list(plain) == list(typed)
        assert float(plain["x"]) == typed["x"]
        assert plain["label"] == typed["label"]
    assert not (tmp_path / "out" / "annotated.mp4").exists()


def test_two_runs_give_the_same_bytes(tmp_path: Path, run: Annotate) -> None:
    clip = clips.write(tmp_path / "clip.mp4", clips.moving(10))
    run(clip, tmp_path / "one", plots=True)
    run(clip, tmp_path / "two", plots=True)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
