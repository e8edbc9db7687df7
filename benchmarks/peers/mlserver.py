# /// script
# dependencies = ["mlserver==1.7.1", "uvloop<0.22", "onnxruntime", "numpy"]
# [tool.peer]
# task = "crops"
# path = "/v2/models/crops/infer"
# form = "tensor"
# ///
"""MLServer: a runtime of ours under the Open Inference Protocol, one process per core, adaptive batches of up to 16."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import numpy as np
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.peers.plain_model import PlainModel


class Crops(MLModel):  # type: ignore[misc]
    """uint8 (N, 2304) to float32 (N, 8)."""

    async def load(self) -> bool:
        self.model = PlainModel(os.environ["PEER_MODEL"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        pixels: Any = NumpyCodec.decode_input(payload.inputs[0])
        rows = self.model.rows([row.tobytes() for row in pixels.astype(np.uint8)])
        output = NumpyCodec.encode_output("probabilities", self.model.probabilities(rows))
        return InferenceResponse(model_name=self.name, outputs=[output])


async def main() -> None:
    port = int(os.environ["PEER_PORT"])
    cores = len(os.sched_getaffinity(0))
    ports = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
    server = MLServer(Settings(debug=False, host="127.0.0.1", parallel_workers=cores, **ports))
    model = ModelSettings(name="crops", implementation=Crops, max_batch_size=16, max_batch_time=0.001)
    await server.start([model])


if __name__ == "__main__":
    asyncio.run(main())
