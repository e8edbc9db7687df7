# /// script
# dependencies = ["mosec==0.9.8", "onnxruntime", "numpy"]
# [tool.peer]
# task = "crops"
# path = "/inference"
# form = "bytes"
# ///
"""mosec: a Rust front, one Python worker per core, dynamic batches of up to 16."""

from __future__ import annotations

import os
from typing import Any

from mosec import Server, Worker

from benchmarks.peers.plain_model import PlainModel


class Crops(Worker):  # type: ignore[misc]
    """Grey bytes to a JSON list of probabilities."""

    def __init__(self) -> None:
        super().__init__()
        self.model = PlainModel(os.environ["PEER_MODEL"])

    def deserialize(self, data: bytes) -> bytes:
        return data

    def forward(self, data: list[bytes]) -> list[Any]:
        return list(self.model.probabilities(self.model.rows(data)).tolist())


if __name__ == "__main__":
    server = Server()
    server.append_worker(Crops, num=len(os.sched_getaffinity(0)), max_batch_size=16, max_wait_time=1)
    server.run()
