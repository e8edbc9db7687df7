"""What a user of KServe's own client does, as a program: ``python kserve_session.py ADDRESS IMAGE``; JSON on stdout."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceGRPCClient

ROWS = (np.arange(3 * 64, dtype=np.float32) / 250).reshape(3, 1, 8, 8)


def _request(model: str, name: str, array: Any, datatype: str, *, binary: bool) -> InferRequest:
    tensor = InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return InferRequest(model_name=model, infer_inputs=[tensor])


async def main(address: str, image: bytes) -> None:
    client = InferenceGRPCClient(url=address)
    pictures = np.array([image], np.object_)
    requests = {
        "raw": _request("brightness", "input", ROWS, "FP32", binary=True),
        "typed": _request("brightness", "input", ROWS, "FP32", binary=False),
        "frame": _request("brightness_frames", "images", pictures, "BYTES", binary=True),
    }
    answers = {name: (await client.infer(request)).outputs for name, request in requests.items()}
    said = {
        "ready": [await client.is_server_live(), await client.is_server_ready(), await client.is_model_ready("other")],
        **{
            name: {output.name: output.as_numpy().astype("U" if output.datatype == "BYTES" else None).tolist()}
            for name, outputs in answers.items()
            for output in outputs
            if output.name in ("emotion", "labels")
        },
    }
    json.dump(said, sys.stdout)


asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes()))
