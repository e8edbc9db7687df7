# /// script
# dependencies = ["nvidia-pytriton==0.7.0", "onnxruntime", "numpy"]
# [tool.peer]
# task = "crops"
# path = "/v2/models/crops/infer"
# form = "tensor"
# ///
"""PyTriton: Triton's own server in front of a Python callable, dynamic batches of up to 16."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from benchmarks.peers.plain_model import PlainModel


def main() -> None:
    model = PlainModel(os.environ["PEER_MODEL"])

    @batch  # type: ignore[untyped-decorator]
    def infer(crops: Any) -> dict[str, Any]:
        return {"probabilities": model.probabilities(model.rows([row.tobytes() for row in crops]))}

    port = int(os.environ["PEER_PORT"])
    config = TritonConfig(http_port=port, grpc_port=port + 1, metrics_port=port + 2, log_verbose=0)
    with Triton(config=config) as triton:
        triton.bind(
            model_name="crops",
            infer_func=infer,
            inputs=[Tensor(name="crops", dtype=np.uint8, shape=(2304,))],
            outputs=[Tensor(name="probabilities", dtype=np.float32, shape=(-1,))],
            config=ModelConfig(max_batch_size=16, batcher=DynamicBatcher(max_queue_delay_microseconds=1000)),
        )
        triton.serve()


if __name__ == "__main__":
    main()
