"""Requests of the Open Inference Protocol as bytes, serialised before anything is measured."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import grpc
import numpy as np
from numpy.typing import NDArray

from ferserve.errors import ConfigError
from ferserve.inference import service_pb2 as pb
from ferserve.inference import service_pb2_grpc
from ferserve.v1 import emotion_pb2, emotion_pb2_grpc
from ferserve.wire.inference.datatypes import DTYPES
from ferserve.wire.status import error_from_rpc

METHOD = "/inference.GRPCInferenceService/ModelInfer"
_TIMEOUT_S = 30.0


def tensor_bodies(target: str, model: str, crops: Sequence[bytes], side: int, batch: int) -> tuple[bytes, ...]:
    """For every grey crop of ``side`` x ``side`` px a request of ``batch`` rows, one of which ``target`` has answered.

    An empty ``model`` is the server's default. Raises the error with which the server refuses.
    """
    with grpc.insecure_channel(target) as channel:
        try:
            if not model:
                asked = emotion_pb2_grpc.EmotionServiceStub(channel).GetModel  # type: ignore[no-untyped-call]
                model = asked(emotion_pb2.GetModelRequest(), timeout=_TIMEOUT_S).name
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]
            metadata = stub.ModelMetadata(pb.ModelMetadataRequest(name=model), timeout=_TIMEOUT_S)
            bodies = _bodies(metadata, crops, side, batch)
            stub.ModelInfer(pb.ModelInferRequest.FromString(bodies[0]), timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            raise error_from_rpc(error, target, _TIMEOUT_S) from None
    return bodies


def _bodies(metadata: pb.ModelMetadataResponse, crops: Sequence[bytes], side: int, batch: int) -> tuple[bytes, ...]:
    tensor = metadata.inputs[0]
    if len(metadata.inputs) != 1 or len(tensor.shape) != 4 or tensor.datatype not in DTYPES:
        raise ConfigError(f"--model must have one input of four axes, got {metadata.name!r}; name a tensor model")
    rows = [_row(crop, side, tuple(tensor.shape[1:]), tensor.datatype) for crop in crops]
    shape = (batch, *tensor.shape[1:])
    inputs = [pb.ModelInferRequest.InferInputTensor(name=tensor.name, datatype=tensor.datatype, shape=shape)]
    return tuple(
        pb.ModelInferRequest(
            model_name=metadata.name,
            inputs=inputs,
            raw_input_contents=[b"".join(rows[(i + j) % len(rows)] for j in range(batch))],
        ).SerializeToString()
        for i in range(len(rows))
    )


def _row(crop: bytes, side: int, shape: tuple[int, ...], datatype: str) -> bytes:
    """The crop in the model's size; its numbers need no meaning for a measurement."""
    height, width = shape[:2] if shape[2] in (1, 3) else shape[1:]
    image: NDArray[np.uint8] = np.asarray(
        cv2.resize(np.frombuffer(crop, np.uint8).reshape(side, side), (width, height)), np.uint8
    )
    values = np.broadcast_to(image[:, :, None] if shape[2] in (1, 3) else image, shape)
    scaled = values if datatype == "UINT8" else values / np.float32(255)
    return scaled.astype(DTYPES[datatype]).tobytes()
