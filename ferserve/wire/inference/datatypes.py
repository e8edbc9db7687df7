"""Datatypes of tensors, and the NumPy types that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

BYTES: Final = "BYTES"
"""Elements of any length; arrays of them are lists of bytes here."""

DTYPES: Final[Mapping[str, np.dtype[np.generic]]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
"""NumPy's types by the protocol's names, in the byte order of the wire; :data:`BYTES` is none of them."""

_NAMES: Final = {dtype.newbyteorder("="): name for name, dtype in DTYPES.items()}

CONTENTS: Final[Mapping[str, str]] = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    BYTES: "bytes_contents",
}
"""The field of ``InferTensorContents`` that holds the elements of a datatype; FP16 has none."""


def datatype_of(dtype: np.dtype[np.generic] | str) -> str:
    """The protocol's name of a NumPy type, such as ``FP32`` for float32; KeyError if it has none."""
    return _NAMES[np.dtype(dtype).newbyteorder("=")]
