"""ferserve's streams on Ray Serve's bidirectional gRPC (beta) by the thinnest adapter, in turns with our server.

    python -m venv build/ray && build/ray/bin/pip install "ray[serve,serve-grpc]==2.60.0" psutil .
    build/ray/bin/python -m benchmarks.peers.ray_streams [--rounds 8] [--frames 200]

Prints the ratio of throughput, the time of a frame alone, and processor time of all processes per frame.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import psutil
import ray
from ray import serve
from ray.serve.config import gRPCOptions

import ferserve
from ferserve.bench.clips import make_clip
from ferserve.options import Delivery, StreamOptions
from ferserve.types import EncodedImage, Frame
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.frames import frame_from_proto
from ferserve.wire.models import model_to_proto
from ferserve.wire.options import stream_options_from_proto, stream_options_to_proto
from ferserve.wire.results import result_to_proto

PORT = 9801


@serve.deployment(num_replicas=1, max_ongoing_requests=64, ray_actor_options={"num_cpus": 1})
class Emotion:
    """One engine in one replica; what is missing beside ``ferserve serve`` is listed in decision 232."""

    def __init__(self) -> None:
        from ferserve.engine import Engine

        self.engine = Engine()

    async def ClassifyStream(self, requests: Any) -> AsyncIterator[pb.ClassifyStreamResponse]:
        config = (await anext(requests)).config
        with self.engine.open_stream(stream_options_from_proto(config)) as stream:
            started = pb.StreamStarted(model=model_to_proto(stream.models[0]))
            started.effective.CopyFrom(stream_options_to_proto(stream.options))
            yield pb.ClassifyStreamResponse(started=started)
            async for message in requests:
                frame = frame_from_proto(message.frame, self.engine.config.max_faces)
                result = await asyncio.wrap_future(stream.submit(frame))
                yield pb.ClassifyStreamResponse(result=result_to_proto(result))


def _block(address: str, frames: list[Frame], cpu_s: Callable[[], float]) -> tuple[float, float, float]:
    """Seconds per frame at full speed, median seconds of a frame alone, processor seconds per frame."""
    options = StreamOptions(delivery=Delivery.EVERY)
    with ferserve.Client(address) as client:
        spent, started = cpu_s(), time.perf_counter()
        answered = sum(result.ok for result in client.stream(frames, options))
        seconds, spent = time.perf_counter() - started, cpu_s() - spent
    assert answered == len(frames)
    with ferserve.Client(address, max_in_flight=1) as client:
        times, before = [], time.perf_counter()
        for _ in client.stream(frames[:100], options):
            now = time.perf_counter()
            times.append(now - before)
            before = now
    return seconds / answered, statistics.median(times), spent / answered


def _cpu_s(roots: list[psutil.Process]) -> float:
    """Of these processes and all below them."""
    total = 0.0
    for root in roots:
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += sum(process.cpu_times()[:2])
    return total


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.ray_streams")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--frames", type=int, default=200)
    options = parser.parse_args()
    clip = make_clip("", 640, 480, 1, 30)
    frames = [Frame(i + 1, EncodedImage(clip.frames[i % 240]), (i + 1) * 33_333_333) for i in range(options.frames)]
    command = [sys.executable, "-m", "ferserve", "serve", "--port", "0", "--workers", "1"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    ours = server.stdout.readline().removeprefix("ferserve ready on ").partition(" ")[0]
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    servicer = "ferserve.v1.emotion_pb2_grpc.add_EmotionServiceServicer_to_server"
    serve.start(grpc_options=gRPCOptions(port=PORT, grpc_servicer_functions=[servicer]))
    serve.run(Emotion.bind())
    own = psutil.Process(server.pid)
    others = [each for each in psutil.Process(os.getpid()).children() if each.pid != server.pid]
    sides = {"ferserve serve": (ours, [own]), "Ray Serve": (f"127.0.0.1:{PORT}", others)}
    blocks: dict[str, list[tuple[float, float, float]]] = {name: [] for name in sides}
    for turn in range(options.rounds + 1):
        for name, (address, roots) in sides.items():
            block = _block(address, frames, lambda roots=roots: _cpu_s(roots))
            if turn:
                blocks[name].append(block)
    for name, found in blocks.items():
        rate, alone, cpu = (statistics.median(column) for column in zip(*found, strict=True))
        print(
            f"{name}: {1 / rate:.0f} frames/s, {1000 * alone:.2f} ms alone, {1000 * cpu:.2f} ms of processors per frame"
        )
    ratios = [mine[0] / other[0] for mine, other in zip(blocks["ferserve serve"], blocks["Ray Serve"], strict=True)]
    print(f"Ray Serve's throughput over ours: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    serve.shutdown()
    ray.shutdown()
    server.terminate()
    server.wait()


if __name__ == "__main__":
    main()
