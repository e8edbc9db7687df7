"""How fast `ferserve annotate` is: against real time, and against decoding alone; and what memory it takes over time.

    python -m tests.benchmarks.annotation [--minutes 10] [--faces 1] [--no-clip]

It makes a clip of 1280x720 px at 30 FPS with sound, of a face that is drawn by code, as H.264 with B-frames. Decoding
alone does nothing with the frames, and is timed before and after each command: in one thread, which is how PyAV decodes
unless told and how annotate reads, and in all threads that FFmpeg takes.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import simplejpeg
from av.container import InputContainer, OutputContainer

from ferserve.bench.clips import make_clip
from ferserve.bench.process_stats import process_stats

FPS, WIDTH, HEIGHT = 30, 1280, 720
_SAMPLE_S = 0.5


@dataclass(frozen=True)
class Spent:
    """What one measurement took."""

    wall_s: float
    cpu_s: float
    memory_mb: tuple[float, ...] = ()
    """Resident memory every half second."""


def write_clip(path: Path, minutes: float, faces: int) -> int:
    """Write a clip that loops one of eight seconds; returns the number of its frames."""
    short = path.with_name("loop.mp4")
    frames = make_clip("", WIDTH, HEIGHT, faces, FPS).frames
    with av.open(str(short), "w") as container:
        assert isinstance(container, OutputContainer)
        _encode(container, frames)
    turns = max(round(minutes * 60 * FPS / len(frames)), 1)
    with av.open(str(path), "w") as container:
        assert isinstance(container, OutputContainer)
        for turn in range(turns):
            with av.open(str(short), "r") as loop:
                _append(container, loop, Fraction(turn * len(frames), FPS))
    return turns * len(frames)


def _encode(container: OutputContainer, frames: tuple[bytes, ...]) -> None:
    video: Any = container.add_stream(
        "libx264", rate=FPS, options={"preset": "medium", "crf": "23", "x264-params": "open-gop=0"}
    )
    video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    sound: Any = container.add_stream("aac", rate=48_000, layout="mono")
    for number, jpeg in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(simplejpeg.decode_jpeg(jpeg, "BGR"), format="bgr24")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        container.mux(video.encode(frame))
    count = len(frames) * 48_000 // FPS
    tone = (np.sin(np.arange(count) * 440 * 2 * np.pi / 48_000) * 0.1).astype(np.float32)
    for start in range(0, count, 1024):
        samples = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone[None, start : start + 1024]), "fltp", "mono")
        samples.rate, samples.pts, samples.time_base = 48_000, start, Fraction(1, 48_000)
        container.mux(sound.encode(samples))
    container.mux(video.encode(None))
    container.mux(sound.encode(None))


def _append(container: OutputContainer, loop: InputContainer, at_s: Fraction) -> None:
    """Copy the packets of ``loop`` to the time ``at_s``."""
    if not container.streams:
        for stream in loop.streams:
            container.add_stream_from_template(stream)
    for packet in loop.demux():
        if packet.size and packet.dts is not None and packet.pts is not None and packet.time_base is not None:
            if at_s and packet.stream.type == "audio" and packet.pts < 0:
                continue  # what AAC needs before its beginning is there already
            shift = round(at_s / packet.time_base)
            packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            packet.stream = container.streams[packet.stream_index]
            container.mux(packet)


def decode_alone(path: Path, *, threads: str) -> Spent:
    """Decode every frame of the video, and do nothing with it; ``threads`` is FFmpeg's ``thread_type``."""
    began_s, before_s = time.monotonic(), time.process_time()
    with av.open(str(path), "r") as container:
        stream = container.streams.video[0]
        stream.thread_type = threads
        for _ in container.decode(stream):
            pass
    return Spent(time.monotonic() - began_s, time.process_time() - before_s)


def decode_both_ways(path: Path) -> list[Spent]:
    """In one thread, and in all."""
    return [decode_alone(path, threads=threads) for threads in ("SLICE", "AUTO")]


def annotate(path: Path, out: Path, *flags: str) -> Spent:
    """Run the command as a user does."""
    command = [sys.executable, "-m", "ferserve", "annotate", str(path), "--out", str(out), "--quiet", *flags]
    began_s, memory = time.monotonic(), []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            memory.append(process_stats(process.pid).rss_mb)
            time.sleep(_SAMPLE_S)
    if process.returncode:
        raise SystemExit(f"annotate ended with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(time.monotonic() - began_s, cpu_s, tuple(memory))


def report(name: str, spent: Spent, decoding: list[list[Spent]], seconds: float) -> None:
    """Print one command's figures beside those of decoding before and after it."""
    print(f"{name}: {seconds / spent.wall_s:.1f} x real time, {spent.wall_s:.1f} s, CPU {spent.cpu_s:.1f} s")
    for threads, runs in zip(("one thread", "all threads"), zip(*decoding, strict=True), strict=True):
        wall_s, cpu_s = (sum(getattr(run, what) for run in runs) / len(runs) for what in ("wall_s", "cpu_s"))
        print(f"  decoding alone in {threads}: {wall_s:.1f} s, CPU {cpu_s:.1f} s; ratio {wall_s / spent.wall_s:.2f}")
    tenths = [spent.memory_mb[len(spent.memory_mb) * tenth // 10] for tenth in range(1, 10)]
    print(f"  memory, MB, at each tenth: {' '.join(f'{mb:.0f}' for mb in tenths)}; at most {max(spent.memory_mb):.0f}")


def main() -> None:
    """Make the clip, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.annotation")
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the clip")
    parser.add_argument("--faces", type=int, default=1)
    parser.add_argument("--no-clip", action="store_true", help="measure without annotated.mp4 only")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        frames = write_clip(path, asked.minutes, asked.faces)
        print(f"{frames} frames of {WIDTH}x{HEIGHT}, {path.stat().st_size / 1e6:.0f} MB", flush=True)
        for name, flags in (("table", ["--no-video"]), ("table and clip", []))[: 1 if asked.no_clip else 2]:
            before = decode_both_ways(path)
            spent = annotate(path, Path(folder) / name, *flags)
            report(name, spent, [before, decode_both_ways(path)], frames / FPS)


if __name__ == "__main__":
    main()
