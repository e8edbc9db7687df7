# /// script
# dependencies = ["ray[serve]==2.60.0", "onnxruntime", "numpy"]
# [tool.peer]
# task = "crops"
# path = "/"
# form = "bytes"
# ///
"""Ray Serve: one replica per core behind its HTTP proxy, batches of up to 16."""

from __future__ import annotations

import os
import signal
from typing import Any

import ray
from ray import serve
from starlette.requests import Request

from benchmarks.peers.plain_model import PlainModel

CORES = len(os.sched_getaffinity(0))


@serve.deployment(num_replicas=CORES, max_ongoing_requests=32, ray_actor_options={"num_cpus": 0.5})
class Crops:
    """Grey bytes to a JSON list of probabilities."""

    def __init__(self, path: str) -> None:
        self.model = PlainModel(path)

    @serve.batch(max_batch_size=16, batch_wait_timeout_s=0.001)
    async def answer(self, crops: list[bytes]) -> list[Any]:
        return list(self.model.probabilities(self.model.rows(crops)).tolist())

    async def __call__(self, request: Request) -> Any:
        return await self.answer(await request.body())


if __name__ == "__main__":
    ray.init(num_cpus=CORES, include_dashboard=False, log_to_driver=False, configure_logging=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PEER_PORT"])})
    serve.run(Crops.bind(os.environ["PEER_MODEL"]))
    signal.pause()
