"""Instructions per frame, counted by valgrind: a figure that no other load on the machine changes.

    python -m tests.benchmarks.instructions
    python -m tests.benchmarks.instructions --tree ../before --python ../before/.venv/bin/python \
        --from-proto ferserve.server.converters:frame_from_proto --to-proto ferserve.server.converters:result_to_proto

A frame goes all its way but for gRPC and the face detector: bytes to message, message to frame, through the engine
with one thread, result to message, message to bytes. The model is a mean over 64 pixels. The count is the difference
of a run with 2N frames and one with N, divided by N, so that start and imports fall out.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from ferserve.v1 import emotion_pb2 as pb
from tests import builders
from tests.same_answers import pictures
from tests.tiny_models import write_brightness_model

ROOT = Path(__file__).parents[2]
WORKLOAD = Path(__file__).with_name("instructions_workload.py")
FRAME_NS = 33_333_333
FROM_PROTO, TO_PROTO = "ferserve.wire.frames:frame_from_proto", "ferserve.wire.results:result_to_proto"


@lru_cache
def frames_of_scenarios() -> dict[str, list[dict[str, object]]]:
    """What each scenario sends in turn: 640x480 pixels with one face."""
    scenes = [builders.scene(i / 30) for i in range(30)]
    jpegs = [builders.jpeg(scene) for scene in scenes]
    box = pb.Boxes(boxes=[pb.Box(x0=280, y0=180, x1=364, y1=268)])
    return {
        "JPEG, box given": [{"encoded": data, "boxes": box} for data in jpegs],
        "JPEG, face followed": [{"encoded": data} for data in jpegs],
        "NV12, box given": [{"raw": pictures.raw(scene, "NV12"), "boxes": box} for scene in scenes],
        "crop": [{"crops": pb.Crops(images=[pb.Image(encoded=data)])} for data in jpegs],
    }


def write_messages(path: Path, frames: Sequence[dict[str, object]], count: int) -> None:
    """Write ``count`` ``Frame`` messages that repeat the frames given, each after its length."""
    with path.open("wb") as file:
        for i in range(count):
            frame = pb.Frame(frame_id=i + 1, capture_time_ns=(i + 1) * FRAME_NS, **frames[i % len(frames)])  # type: ignore[arg-type]
            data = frame.SerializeToString()
            file.write(len(data).to_bytes(4, "little") + data)


def instructions(command: list[str], tree: Path, out: Path) -> int:
    """Instructions that ``command`` executes; callgrind's profile goes to ``out``."""
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(tree)}
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *command],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found:
        raise SystemExit(f"valgrind must run {command}, got exit code {done.returncode}:\n{done.stderr[-3000:]}")
    return int(found[1])


def instructions_per_frame(frames: list[dict[str, object]], options: argparse.Namespace, scratch: Path) -> float:
    """The difference of two runs, divided by the frames that one has more."""
    counts = []
    for count in (options.frames, 2 * options.frames):
        messages = scratch / "messages"
        write_messages(messages, frames, count)
        command = [str(options.python.absolute()), str(WORKLOAD), str(messages), str(scratch / "models")]
        command += [options.from_proto, options.to_proto]
        counts.append(instructions(command, options.tree.resolve(), scratch / f"{count}.callgrind"))
    return (counts[1] - counts[0]) / options.frames


def main() -> None:
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        models.mkdir()
        write_brightness_model(models / "brightness.onnx")
        for name, frames in frames_of_scenarios().items():
            if name.startswith(options.only):
                per_frame = instructions_per_frame(frames, options, Path(folder))
                print(f"{name}: {per_frame:,.0f} instructions per frame", flush=True)
        if options.profiles:
            shutil.copytree(folder, options.profiles, dirs_exist_ok=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.instructions")
    parser.add_argument("--frames", type=int, default=30, help="N")
    parser.add_argument("--only", default="", help="only scenarios whose name begins so")
    parser.add_argument("--tree", type=Path, default=ROOT, help="checkout to measure, its extension built")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="interpreter that runs it")
    parser.add_argument("--from-proto", default=FROM_PROTO, help="module:function of that tree")
    parser.add_argument("--to-proto", default=TO_PROTO, help="module:function of that tree")
    parser.add_argument("--profiles", type=Path, help="folder for the last scenario's files for callgrind_annotate")
    return parser


if __name__ == "__main__":
    main()
