"""The servers that are asked, each a process of the tree under test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ferserve.v1 import emotion_pb2 as pb
from tests import builders
from tests.same_answers.colour_model import write_colour_model
from tests.same_answers.exchanges import Server, Stream, classify, clip, config
from tests.same_answers.single_calls import calls
from tests.same_answers.streams import streams

SETTINGS = {
    "FERSERVE_ENGINE_MAX_BATCH_SIZE": "8",  # 0 would measure, and batches of other sizes may round otherwise
    "FERSERVE_SERVER_MAX_MESSAGE_BYTES": str(8 << 20),
    "FERSERVE_SERVER_MAX_STREAMS_PER_CLIENT": "3",
}


def servers(shared: Path | None) -> tuple[Server, ...]:
    """A server that finds faces, and one that leaves that to its clients."""
    data = builders.jpeg(builders.astronaut())
    boxes = pb.Boxes(boxes=[pb.Box(x0=169, y0=68, x1=274, y1=178)])
    without = (
        classify("no boxes for a server without a detector", encoded=data),
        classify("boxes for a server without a detector", encoded=data, boxes=boxes),
        Stream("frames for a server without a detector", (config(), *clip([data] * 2), *clip([data], boxes=boxes))),
        Stream("boxes in a stream without a detector", (config(), *clip([data] * 3, boxes=boxes))),
    )
    return (
        Server("face-lite", ("--model", "emotion-lite-int8"), (*calls(shared), *streams(shared))),
        Server("none", ("--model", "colours", "--detector", "none"), without),
    )


@contextmanager
def serving(server: Server, tree: Path, python: Path, folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start ``server`` from the checkout ``tree``; gives its address and its process, which is killed in the end.

    ``folder`` takes the model that is not bundled.
    """
    write_colour_model(folder / "colours.onnx")
    command = [str(python), "-m", "ferserve", "serve", "--port", "0", "--workers", "1", "--threads", "1"]
    command += ["--model-dir", str(folder)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FERSERVE_", "PYTHON"))}
    process = subprocess.Popen(
        [*command, *server.arguments],
        cwd=tree,
        env=environment | SETTINGS,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        ready = process.stdout.readline()
        prefix = "ferserve ready on "
        if not ready.startswith(prefix):
            raise SystemExit(f"server of {tree} must say '{prefix}...', got {ready!r}")
        yield ready.removeprefix(prefix).partition(" ")[0], process
    finally:
        process.kill()
        process.communicate()
