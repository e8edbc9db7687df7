"""The model as people run it: bytes to rows in NumPy, rows to probabilities in ONNX Runtime. Every server of crops uses
this, so that only the servers differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime

METADATA_KEY = "ferserve.model_spec"


class PlainModel:
    """One session with one thread: servers bring their own concurrency."""

    def __init__(self, path: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        spec = json.loads(self._session.get_modelmeta().custom_metadata_map[METADATA_KEY])
        head, entry = spec["heads"][0], spec["input"]
        self.labels: list[str] = head["labels"]
        self._wanted, self._name = [head["output"]], entry["name"]
        self._shape = (1, entry["height"], entry["width"])
        self._scale, self._mean, self._std = entry["scale"], entry["mean"][0], entry["std"][0]

    def rows(self, crops: Sequence[bytes]) -> Any:
        """float32 (N, 1, 48, 48) of grey pixels."""
        pixels = np.stack([np.frombuffer(crop, np.uint8).reshape(self._shape) for crop in crops])
        return ((pixels * np.float32(self._scale) - np.float32(self._mean)) / np.float32(self._std)).astype(np.float32)

    def probabilities(self, rows: Any) -> Any:
        """float32 (N, 8)."""
        return self._session.run(self._wanted, {self._name: rows})[0]
