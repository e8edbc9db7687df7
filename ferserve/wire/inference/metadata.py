"""What models say of themselves, as messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ferserve.inference import service_pb2 as pb
from ferserve.wire.inference.datatypes import BYTES
from ferserve.wire.inference.responses import OutputSpec
from ferserve.wire.inference.tensors import TensorSpec

PLATFORM = "onnxruntime_onnx"
"""As Triton calls files of this kind."""


def metadata_to_proto(
    name: str, versions: Sequence[str], inputs: Sequence[TensorSpec], outputs: Sequence[OutputSpec]
) -> pb.ModelMetadataResponse:
    """The tensors of a model."""
    return pb.ModelMetadataResponse(
        name=name,
        versions=versions,
        platform=PLATFORM,
        inputs=[_tensor(item) for item in inputs],
        outputs=[_tensor(item) for item in outputs],
    )


def _tensor(spec: TensorSpec | OutputSpec) -> pb.ModelMetadataResponse.TensorMetadata:
    return pb.ModelMetadataResponse.TensorMetadata(name=spec.name, datatype=spec.datatype, shape=spec.shape)


def config_to_proto(
    name: str,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[OutputSpec],
    parameters: Mapping[str, str],
    *,
    max_batch_size: int,
) -> pb.ModelConfig:
    """How a model is served; its dims have no axis of the batch if ``max_batch_size`` is above 0."""
    skip = 1 if max_batch_size else 0
    return pb.ModelConfig(
        name=name,
        platform=PLATFORM,
        backend="onnxruntime",
        max_batch_size=max_batch_size,
        input=[
            pb.ModelInput(
                name=item.name, data_type=_type(item.datatype), dims=item.shape[skip:], optional=item.optional
            )
            for item in inputs
        ],
        output=[
            pb.ModelOutput(name=item.name, data_type=_type(item.datatype), dims=item.shape[skip:]) for item in outputs
        ],
        model_transaction_policy=pb.ModelTransactionPolicy(decoupled=False),
        parameters={key: pb.ModelParameter(string_value=value) for key, value in parameters.items()},
    )


def _type(datatype: str) -> Any:
    return pb.DataType.Value("TYPE_STRING" if datatype == BYTES else f"TYPE_{datatype}")
