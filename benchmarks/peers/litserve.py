# /// script
# dependencies = ["litserve==0.2.19", "onnxruntime", "numpy"]
# [tool.peer]
# task = "crops"
# path = "/predict"
# form = "base64"
# ///
"""LitServe: one worker per core, batches of up to 16; its requests are JSON."""

from __future__ import annotations

import base64
import os
from typing import Any

import litserve

from benchmarks.peers.plain_model import PlainModel


class Crops(litserve.LitAPI):  # type: ignore[misc]
    """Base64 of grey bytes to a JSON list of probabilities."""

    def setup(self, device: str) -> None:
        self.model = PlainModel(os.environ["PEER_MODEL"])

    def decode_request(self, request: dict[str, str]) -> bytes:
        return base64.b64decode(request["image"])

    def batch(self, inputs: list[bytes]) -> Any:
        return self.model.rows(inputs)

    def predict(self, batch: Any) -> Any:
        return self.model.probabilities(batch)

    def unbatch(self, output: Any) -> list[Any]:
        return list(output)

    def encode_response(self, output: Any) -> dict[str, list[float]]:
        return {"probabilities": output.tolist()}


if __name__ == "__main__":
    api = Crops(max_batch_size=16, batch_timeout=0.001)
    cores = len(os.sched_getaffinity(0))
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=cores)
    server.run(port=int(os.environ["PEER_PORT"]), log_level="warning", generate_client_file=False)
