"""The spec in a face detector's weight file, the counterpart of :mod:`ferserve.models.spec`.

One JSON object under the metadata key ``ferserve.detector_spec`` of the ONNX file.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ferserve.errors import ModelSpecError
from ferserve.models.spec_fields import build, check, check_types, is_whole, read_object

DETECTOR_METADATA_KEY = "ferserve.detector_spec"
DETECTOR_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class DetectorSpec:
    """An anchor-free detector on luma. Raises :class:`ModelSpecError` for a field out of range.

    Input: uint8 (1, 1, H, W), H and W multiples of :attr:`multiple`. Output: float32 (rows, cells), the cells of a
    level row by row, level after level. Rows: score logit; offset of the box's centre from the cell's, x and y, in
    strides; natural logarithm of width and height in strides; offsets of five landmarks (order as in
    :class:`ferserve.types.Detections`) from the cell's centre, in strides. Further rows are ignored.
    """

    name: str
    version: str
    strides: tuple[int, ...] = (8, 16, 32)
    """Distance of neighbouring cells per level, px, in the order of the output."""
    input: str = "luma"
    """Name of the ONNX graph's input."""
    output: str = "cells"
    """Name of the ONNX graph's output."""
    schema_version: int = DETECTOR_SCHEMA_VERSION
    description: str = ""
    license: str = ""
    """SPDX name of the weights' licence, with the terms of the training data if they apply."""
    trained_on: tuple[str, ...] = ()
    """Names of the training sets."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Value by ``<dataset>/<split>/<metric>``."""
    recipe_sha256: str = ""
    """SHA-256 of the recipe that produced the weights."""

    @property
    def multiple(self) -> int:
        """Height and width of the input are multiples of this, in pixels."""
        return max(self.strides)

    def __post_init__(self) -> None:
        strides = self.strides
        check("detector", "strides", strides, _are_strides(strides), "whole numbers from 1 to 256")
        check_types(self, "detector")
        check("detector", "strides", strides, all(max(strides) % s == 0 for s in strides), "divisors of the largest")
        known = self.schema_version == DETECTOR_SCHEMA_VERSION
        check("detector", "schema_version", self.schema_version, known, str(DETECTOR_SCHEMA_VERSION))

    def to_json(self, indent: int | None = None) -> str:
        """The JSON that :meth:`from_json` reads."""
        return json.dumps(dataclasses.asdict(self), indent=indent, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes, source: str = "detector spec") -> DetectorSpec:
        """Read a spec. Raises :class:`ModelSpecError` that names ``source`` and the field at fault."""
        value = read_object(text, source)
        try:
            return build(cls, value, "detector")
        except ModelSpecError as error:
            raise ModelSpecError(f"{source}: {error}") from None


def _are_strides(value: object) -> bool:
    if not isinstance(value, tuple) or not value:
        return False
    return all(is_whole(stride) and 1 <= stride <= 256 for stride in value)
