"""A bare grpc.aio server that answers every frame with the same face: what a message costs before anything is done.

``python -m tests.benchmarks.echo_server PORT``, then ``ferserve bench crops --raw-seconds 0 --target 127.0.0.1:PORT``
or ``bench streams``: the same generator, the same messages, no engine.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import Any

import grpc

from ferserve.server.loop import run_in_loop
from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc

HEADS = {"emotion": 8, "emotion_fer2013": 7, "clarity": 2}
"""Names and labels of emotion-lite's heads."""


class Echo(emotion_pb2_grpc.EmotionServiceServicer):
    """Streams alone."""

    async def ClassifyStream(self, request_iterator: Any, context: Any) -> None:
        """One read, one write, nothing in between."""
        heads = [
            pb.HeadOutput(name=name, probabilities=[1 / count] * count, label="neutral", confidence=1 / count)
            for name, count in HEADS.items()
        ]
        result = pb.FrameResult(faces=pb.Faces(faces=[pb.Face(track_id=1, box=pb.Box(x1=9, y1=9), heads=heads)]))
        await context.read()
        await context.write(pb.ClassifyStreamResponse(started=pb.StreamStarted()))
        while (message := await context.read()) is not grpc.aio.EOF:
            result.frame_id = message.frame.frame_id
            await context.write(pb.ClassifyStreamResponse(result=result))


def echo_process(stack: contextlib.ExitStack) -> str:
    """The address of an echo in another process, which ends with ``stack``."""
    command = [sys.executable, "-m", "tests.benchmarks.echo_server", "0"]
    process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    stack.callback(process.kill)
    assert process.stdout is not None
    return f"127.0.0.1:{process.stdout.readline().split()[-1]}"


async def serve(port: int) -> None:
    """Until killed."""
    server = grpc.aio.server()
    emotion_pb2_grpc.add_EmotionServiceServicer_to_server(Echo(), server)  # type: ignore[no-untyped-call]
    chosen = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print(f"ready on {chosen}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    run_in_loop(serve(int(sys.argv[1])), "auto")
