"""Reads safetensors files: eight bytes of header length, a JSON header, then the tensors' bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import WeightsError

DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32}


def read_safetensors(path: Path) -> dict[str, NDArray[np.generic]]:
    """Tensors by name; raises :class:`WeightsError` if the file is missing, cut short or of an unknown type."""
    if not path.is_file():
        raise WeightsError(f"weights must be a safetensors file, got {path}, which is not there")
    content = path.read_bytes()
    try:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        body = memoryview(content)[8 + length :]
        tensors = {}
        for name, entry in header.items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                flat = np.frombuffer(body[begin:end], DTYPES[entry["dtype"]])
                tensors[name] = flat.reshape(entry["shape"])
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path}: weights must be a whole safetensors file, got {error!r}") from None
    return tensors
