"""The spec of a weight file: its labels, input and outputs. Nothing is ever guessed from a file's name.

The spec is one JSON object, inside the ONNX file under the metadata key ``ferserve.model_spec``, or beside a foreign
file as ``<name>.json``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ferserve.errors import ModelSpecError
from ferserve.labels import FERPLUS
from ferserve.models.spec_fields import build, check, check_types, read_object

METADATA_KEY = "ferserve.model_spec"
SCHEMA_VERSION = 1

Layout = Literal["NCHW", "NHWC"]
Color = Literal["luma", "bgr", "rgb"]
Resize = Literal["area", "bilinear", "antialias"]
Outputs = Literal["logits", "probabilities", "values"]
Align = Literal["none", "eyes", "landmarks"]


@dataclass(frozen=True)
class HeadSpec:
    """One task of a model: a graph output and the labels of its columns."""

    name: str
    """The task, such as ``emotion``, ``age_group`` or ``valence_arousal``."""
    labels: tuple[str, ...]
    """Names in the order of the output's last axis."""
    output: str
    """Name of the ONNX graph output, float32 (N, len(labels)) or (N, len(labels), 1, 1)."""
    outputs: Outputs = "probabilities"
    """``logits`` become probabilities by division by ``temperature`` and a softmax. ``values`` are no probabilities,
    such as valence and arousal in [-1, 1]: they are passed on as they are, and the head's label means nothing."""
    temperature: float = 1.0
    """Divisor of the logits (Guo et al. 2017, arXiv:1706.04599, section 4.2)."""
    reserved: tuple[str, ...] = ()
    """Labels that mean 'not sure', such as ``unknown``: never the top label, but part of the probabilities."""
    columns: tuple[int, ...] = ()
    """First column of the output, and the one behind the last, if several heads share it; empty for all."""

    @cached_property
    def reserved_index(self) -> frozenset[int]:
        """Indices of the reserved labels in ``labels``."""
        return frozenset(self.labels.index(label) for label in self.reserved)

    def _fits_columns(self) -> bool:
        if not self.columns:
            return True
        return len(self.columns) == 2 and 0 <= self.columns[0] == self.columns[1] - len(self.labels)

    def __post_init__(self) -> None:
        owner = f"heads[{self.name}]"
        check_types(self, owner)
        check(owner, "columns", self.columns, self._fits_columns(), "empty, or two numbers as far apart as labels")
        check(owner, "labels", self.labels, len(self.labels) > 0, "at least one label")
        check(owner, "labels", self.labels, len(set(self.labels)) == len(self.labels), "distinct labels")
        check(owner, "temperature", self.temperature, self.temperature > 0, "above 0")
        check(owner, "reserved", self.reserved, set(self.reserved) < set(self.labels), "a proper subset of labels")


@dataclass(frozen=True)
class InputSpec:
    """The model's input: value = (pixel * scale - mean) / std, per channel, pixel from 0 to 255.

    For a uint8 input the value is rounded, halves up, and clipped to 0 to 255.
    """

    height: int
    width: int
    color: Color = "luma"
    layout: Layout = "NCHW"
    dtype: Literal["float32", "float16", "uint8"] = "float32"
    scale: float = 1.0 / 255.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    resize: Resize = "area"
    """``area`` is the exact box filter, and bilinear for a crop that is enlarged; ``bilinear`` is
    ``cv2.INTER_LINEAR``; ``antialias`` is the antialiased bilinear filter of Pillow and TensorFlow."""
    margin: float = 0.0
    """Share of the box's longer side that is added on every side before the crop; negative to cut in. Outside the image
    its edge is repeated. An aligned crop grows by the same share of its template's side."""
    square: bool = True
    """Extend the shorter side of the box about its centre to the longer one, before the margin. The crop is then
    stretched to ``height`` x ``width``: only a square input keeps a face's proportions."""
    align: Align = "none"
    """Crop by the landmarks if the detector gives them: ``eyes`` maps both eyes, ``landmarks`` all five points, to
    ArcFace's template (Umeyama's fit), and ignores the box. ``none`` crops by the box."""
    name: str = "input"
    """Name of the ONNX graph input."""

    @property
    def channels(self) -> int:
        """1 for luma, 3 for colour."""
        return 1 if self.color == "luma" else 3

    @property
    def row_shape(self) -> tuple[int, int, int]:
        """Shape of one row of a batch: (C, H, W) or (H, W, C)."""
        if self.layout == "NCHW":
            return (self.channels, self.height, self.width)
        return (self.height, self.width, self.channels)

    def __post_init__(self) -> None:
        owner = "input"
        check_types(self, owner)
        check(owner, "height", self.height, 1 <= self.height <= 4096, "from 1 to 4096 px")
        check(owner, "width", self.width, 1 <= self.width <= 4096, "from 1 to 4096 px")
        check(owner, "mean", self.mean, len(self.mean) == self.channels, f"{self.channels} number(s)")
        check(owner, "std", self.std, len(self.std) == self.channels, f"{self.channels} number(s)")
        check(owner, "std", self.std, all(s > 0 for s in self.std), "above 0")
        check(owner, "margin", self.margin, -0.45 <= self.margin <= 4, "from -0.45 to 4")


@dataclass(frozen=True)
class ModelSpec:
    """Facts about a weight file, for the engine and for users. Raises :class:`ModelSpecError` for a wrong field."""

    name: str
    version: str
    input: InputSpec
    heads: tuple[HeadSpec, ...]
    schema_version: int = SCHEMA_VERSION
    description: str = ""
    license: str = ""
    """SPDX name of the weights' licence, with the terms of the training data if they apply."""
    trained_on: tuple[str, ...] = ()
    """Names of the training sets."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Value by ``<dataset>/<split>/<metric>``, such as ``fer2013/public_test/accuracy``."""
    recipe: str = ""
    recipe_sha256: str = ""

    def __post_init__(self) -> None:
        named = isinstance(self.name, str) and self.name != "" and "/" not in self.name
        check("spec", "name", self.name, named, "a non-empty name without '/'")
        check_types(self, "spec")
        check("spec", "heads", self.heads, len(self.heads) > 0, "at least one head")
        known = self.schema_version == SCHEMA_VERSION
        check("spec", "schema_version", self.schema_version, known, str(SCHEMA_VERSION))
        names = [head.name for head in self.heads]
        check("spec", "heads", names, len(set(names)) == len(names), "heads with distinct names")

    def to_json(self, indent: int | None = None) -> str:
        """The JSON that :meth:`from_json` reads."""
        return json.dumps(dataclasses.asdict(self), indent=indent, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes, source: str = "model spec") -> ModelSpec:
        """Read a spec. Raises :class:`ModelSpecError` that names ``source`` and the field at fault."""
        value = read_object(text, source)
        try:
            heads = value.get("heads", [])
            if not isinstance(heads, list):
                raise ModelSpecError(f"heads must be a list of objects, got {heads!r}")
            fields: dict[str, Any] = dict(value)
            fields["input"] = build(InputSpec, value.get("input", {}), "input")
            fields["heads"] = tuple(build(HeadSpec, head, f"heads[{i}]") for i, head in enumerate(heads))
            return build(cls, fields, "spec")
        except ModelSpecError as error:
            raise ModelSpecError(f"{source}: {error}") from None

    @classmethod
    def from_sidecar(cls, path: Path) -> ModelSpec:
        """Read ``path``, a JSON file beside a foreign model. Raises as :meth:`from_json`."""
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ModelSpecError(f"{path} must be a readable file, got {error.strerror}") from None
        return cls.from_json(text, str(path))


def example_spec(name: str = "my-model") -> ModelSpec:
    """An example for the error message about a file without a spec."""
    return ModelSpec(
        name=name,
        version="1",
        input=InputSpec(height=48, width=48),
        heads=(HeadSpec("emotion", FERPLUS, output="probabilities"),),
        license="unknown",
    )
