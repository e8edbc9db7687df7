"""What a weight file says about itself. Nothing here is ever guessed from a file's name.

The spec is one JSON value. It travels inside the ONNX file under the metadata key ``ferserve.model_spec``, or beside a
foreign file as ``<name>.json``.
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
Outputs = Literal["logits", "probabilities"]
Align = Literal["none", "eyes", "landmarks"]


@dataclass(frozen=True)
class HeadSpec:
    """One task of a model: the graph output it reads and the labels that order it."""

    name: str
    """What the head tells, such as ``emotion``, ``age_group`` or ``valence_arousal``."""
    labels: tuple[str, ...]
    """Names in the order of the output's last axis."""
    output: str
    """Name of the ONNX graph output, float32 (N, len(labels))."""
    outputs: Outputs = "probabilities"
    """``logits`` are turned into probabilities by a softmax after division by ``temperature``."""
    temperature: float = 1.0
    """Divides logits (Guo et al. 2017, arXiv:1706.04599, section 4.2); 1 leaves them as they are."""
    reserved: tuple[str, ...] = ()
    """Labels that say 'not sure' (such as ``unknown`` and ``not_a_face``): never the top label, kept in the output."""

    @cached_property
    def reserved_index(self) -> frozenset[int]:
        """Where the reserved labels stand in ``labels``."""
        return frozenset(self.labels.index(label) for label in self.reserved)

    def __post_init__(self) -> None:
        owner = f"heads[{self.name}]"
        check_types(self, owner)
        check(owner, "labels", self.labels, len(self.labels) > 0, "at least one label")
        check(owner, "labels", self.labels, len(set(self.labels)) == len(self.labels), "distinct labels")
        check(owner, "temperature", self.temperature, self.temperature > 0, "above 0")
        check(owner, "reserved", self.reserved, set(self.reserved) < set(self.labels), "a proper subset of labels")


@dataclass(frozen=True)
class InputSpec:
    """How pixels must reach the model: value = (pixel * scale - mean) / std, per channel, pixel from 0 to 255.

    A uint8 input takes the value rounded, halves up, and held within 0 to 255.
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
    """``area`` is the exact box filter, bilinear where a crop grows; ``bilinear`` is ``cv2.INTER_LINEAR``;
    ``antialias`` is the antialiased bilinear filter of Pillow and TensorFlow.
    """
    margin: float = 0.0
    """Part of the box's longer side that is added on every side before the crop; may be negative to cut in. What lies
    outside the image repeats its edge. An aligned crop grows by the same part of its template's side.
    """
    square: bool = True
    """Grow the shorter side of the box about its centre to the longer one, before the margin. The crop is then
    stretched to ``height`` x ``width``: only a square input keeps a face's proportions.
    """
    align: Align = "none"
    """Crop by the landmarks where the detector gives them: ``eyes`` puts both eyes, ``landmarks`` all five points,
    where ArcFace's template has them (Umeyama's fit); the box is then not used. Otherwise, or with ``none``, it is.
    """
    name: str = "input"
    """Name of the ONNX graph input."""

    @property
    def channels(self) -> int:
        """1 for luma, 3 for colour."""
        return 1 if self.color == "luma" else 3

    @property
    def row_shape(self) -> tuple[int, int, int]:
        """Shape of one row of a batch."""
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
    """Everything that serving needs to know of a weight file, and everything a user should."""

    name: str
    version: str
    input: InputSpec
    heads: tuple[HeadSpec, ...]
    schema_version: int = SCHEMA_VERSION
    description: str = ""
    license: str = ""
    """SPDX name of the weights' licence, with the terms of the data where they bind."""
    trained_on: tuple[str, ...] = ()
    """Names of the training sets."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Figure by ``<dataset>/<split>/<metric>``, such as ``fer2013/public_test/accuracy``."""
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
        """Read a spec; raises :class:`ModelSpecError` that names the field at fault and ``source``."""
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
        """Read ``path``, a JSON file that stands beside a foreign model; raises as :meth:`from_json` does."""
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ModelSpecError(f"{path} must be a file that can be read, got {error.strerror}") from None
        return cls.from_json(text, str(path))


def example_spec(name: str = "my-model") -> ModelSpec:
    """The spec that an error message shows to whoever brought a file without one."""
    return ModelSpec(
        name=name,
        version="1",
        input=InputSpec(height=48, width=48),
        heads=(HeadSpec("emotion", FERPLUS, output="probabilities"),),
        license="unknown",
    )
