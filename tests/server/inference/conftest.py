"""The generated stub of the protocol, and requests for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import numpy as np
import pytest

from ferserve.inference import service_pb2 as pb
from ferserve.inference import service_pb2_grpc
from ferserve.wire.inference.datatypes import datatype_of
from ferserve.wire.inference.tensors import to_raw


@pytest.fixture
async def inference(address: str) -> AsyncIterator[service_pb2_grpc.GRPCInferenceServiceStub]:
    async with grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


class Requests:
    """Requests by what they bring."""

    @staticmethod
    def tensor(rows: np.ndarray, model: str = "brightness", **fields: Any) -> pb.ModelInferRequest:
        tensor = {"name": "input", "datatype": datatype_of(rows.dtype), "shape": rows.shape}
        return pb.ModelInferRequest(
            model_name=model, inputs=[tensor], raw_input_contents=[rows.tobytes()], parameters=_parameters(fields)
        )

    @staticmethod
    def images(*images: bytes, model: str = "brightness_frames", **fields: Any) -> pb.ModelInferRequest:
        tensor = {"name": "images", "datatype": "BYTES", "shape": [len(images)]}
        return pb.ModelInferRequest(
            model_name=model, inputs=[tensor], raw_input_contents=[to_raw(list(images))], parameters=_parameters(fields)
        )

    @staticmethod
    def pixels(pixels: np.ndarray, model: str = "brightness_frames", **fields: Any) -> pb.ModelInferRequest:
        tensor = {"name": "pixels", "datatype": "UINT8", "shape": pixels.shape}
        return pb.ModelInferRequest(
            model_name=model, inputs=[tensor], raw_input_contents=[pixels.tobytes()], parameters=_parameters(fields)
        )


def _parameters(fields: dict[str, Any]) -> dict[str, Any]:
    kinds = {bool: "bool_param", int: "int64_param", str: "string_param", float: "double_param"}
    return {name: {kinds[type(value)]: value} for name, value in fields.items()}


@pytest.fixture(scope="session")
def requests() -> Requests:
    return Requests()


def arrays(response: pb.ModelInferResponse) -> dict[str, Any]:
    """The outputs by name; BYTES as lists of strings."""
    numpy = {"FP32": "f4", "INT32": "i4", "INT64": "i8", "BOOL": "?"}
    found: dict[str, Any] = {}
    for output, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        if output.datatype == "BYTES":
            found[output.name], at = [], 0
            while at < len(raw):
                length = int.from_bytes(raw[at : at + 4], "little")
                found[output.name].append(raw[at + 4 : at + 4 + length].decode())
                at += 4 + length
        else:
            found[output.name] = np.frombuffer(raw, numpy[output.datatype]).reshape(output.shape)
    return found
