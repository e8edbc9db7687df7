"""The detectors that can be chosen by name, made of weights and runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ferserve.config import Device
from ferserve.detection.base import FaceDetector
from ferserve.detection.face_lite import FaceLiteDetector, Graph, cell_grid
from ferserve.detection.yunet import YuNetDetector
from ferserve.errors import ConfigError, ModelSpecError
from ferserve.models.detector_spec import DETECTOR_METADATA_KEY, DetectorSpec
from ferserve.models.pull import pulled_model
from ferserve.models.store import BUNDLED_DIR, metadata_of
from ferserve.runtime import Session, open_session

DETECTORS = ("face-lite", "yunet", "none")
"""Names that the configuration takes; with ``none`` clients send boxes or crops."""

DetectorMaker: TypeAlias = Callable[[], "FaceDetector | None"]

_WITHOUT_ENGINES: dict[Device, Device] = {"tensorrt": "cuda", "tensorrt-native": "cpu"}
"""Where a detector runs if the models run in engines that are built ahead."""


def open_detector(name: str, device: Device = "cpu", cache_dir: Path | None = None) -> DetectorMaker:
    """Load a detector's weights once and return a function that makes detectors of them, one per thread.

    ``yunet`` runs on the CPU on every device: OpenCV's wheels have no other. Raises :class:`ConfigError` for an
    unknown name or a device that is not available, :class:`ModelNotFoundError` for missing weights,
    :class:`ModelPullError` for pulled weights that were changed since, and :class:`ModelSpecError` for weights that
    are no detector.
    """
    if name == "face-lite":
        return open_face_lite(BUNDLED_DIR / "face-lite.onnx", device, cache_dir)
    if name == "yunet":
        weights = str(pulled_model("yunet"))
        return lambda: YuNetDetector(weights)
    if name == "none":
        return lambda: None
    raise ConfigError(f"engine.detector must be one of {', '.join(DETECTORS)}, got {name!r}")


def open_face_lite(path: Path, device: Device = "cpu", cache_dir: Path | None = None) -> Callable[[], FaceLiteDetector]:
    """Load a detector of our own from an ONNX file; all detectors made of it share its graph.

    On ``tensorrt`` it runs on CUDA, on ``tensorrt-native`` on the CPU, as a Jetson has no CUDA for ONNX Runtime:
    pictures come in many sizes, and TensorRT would build an engine for each while they wait. Raises
    :class:`ModelSpecError` if the file is no ONNX model, or none that :class:`DetectorSpec` describes.
    """
    spec = read_detector_spec(path)
    session = open_session(path, _WITHOUT_ENGINES.get(device, device), cache_dir)
    _require_graph(session, spec, path)

    def graph(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(session.run({spec.input: luma})[0], np.float32)

    _require_cells(graph, spec, path)
    return lambda: FaceLiteDetector(graph, spec, session.runs_on)


def read_detector_spec(path: Path) -> DetectorSpec:
    """The spec inside a detector's ONNX file; raises :class:`ModelSpecError` if there is none."""
    metadata = metadata_of(path)
    if DETECTOR_METADATA_KEY not in metadata:
        raise ModelSpecError(f"{path} must be a detector, got no metadata {DETECTOR_METADATA_KEY!r}")
    return DetectorSpec.from_json(metadata[DETECTOR_METADATA_KEY], str(path))


def _require_graph(session: Session, spec: DetectorSpec, path: Path) -> None:
    names = [item.name for item in session.inputs], [item.name for item in session.outputs]
    if names != ([spec.input], [spec.output]):
        raise ModelSpecError(f"{path} must have input {spec.input!r} and output {spec.output!r}, got {names}")
    if session.inputs[0].dtype != "uint8":
        raise ModelSpecError(f"{path} must take uint8, got {session.inputs[0].dtype}")


def _require_cells(graph: Graph, spec: DetectorSpec, path: Path) -> None:
    """Run the smallest picture: a graph of another form fails here, not on the first frame."""
    size = (spec.multiple, spec.multiple)
    wanted = f"{path} must give 15 rows or more and one cell for each stride and place, at any size,"
    try:
        shape = graph(np.zeros((1, 1, *size), np.uint8)).shape
    except Exception as error:  # ONNX Runtime's own classes share no base but Exception
        raise ModelSpecError(f"{wanted} got, for {size[0]}x{size[1]} px: {str(error).splitlines()[0]}") from None
    cells = cell_grid(*size, spec.strides).shape[1]
    if len(shape) != 2 or shape[0] < 15 or shape[1] != cells:
        raise ModelSpecError(f"{wanted} got {shape} in the place of (15, {cells}) for {size[0]}x{size[1]} px")
