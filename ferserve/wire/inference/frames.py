"""Frames of a request, and their results as outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ferserve.errors import InvalidFrameError, ModelNotReadyError
from ferserve.inference import service_pb2 as pb
from ferserve.types import EncodedImage, Face, Frame, FrameResult, PixelFormat, RawImage
from ferserve.wire.inference.datatypes import BYTES
from ferserve.wire.inference.parameters import Parameters, flag, pixel_format_of, whole_number
from ferserve.wire.inference.responses import OutputSpec
from ferserve.wire.inference.tensors import Array, TensorSpec, elements, index_of

IMAGES: Final = TensorSpec("images", BYTES, (-1,), optional=True)
"""Encoded images, each a JPEG, PNG, WebP, BMP, GIF or TIFF file."""
PIXELS: Final = TensorSpec("pixels", "UINT8", (-1, -1, -1), optional=True)
"""One picture [H, W, C] of one channel (grey) or three."""
MAX_IMAGES: Final = 64
"""Encoded images per request."""
_POINTS: Final = 5


def payloads_of(
    request: pb.ModelInferRequest, parameters: Parameters, max_pixels: int
) -> list[EncodedImage | RawImage]:
    """The pictures of a request, in their order; raises :class:`InvalidFrameError`."""
    index = index_of(request, (IMAGES, PIXELS))
    if len(index) != 1:
        got = "both" if index else "none"
        raise InvalidFrameError(f"inputs must be either {IMAGES.name!r} or {PIXELS.name!r}, got {got}")
    if PIXELS.name in index:
        pixels = elements(request, index[PIXELS.name], PIXELS, 4 * max_pixels)
        return [_raw_image(np.asarray(pixels, np.uint8), parameters)]
    images = elements(request, index[IMAGES.name], IMAGES, MAX_IMAGES)
    if not len(images):
        raise InvalidFrameError(f"{IMAGES.name} must hold at least one image, got none")
    return [EncodedImage(bytes(image)) for image in images]


def _raw_image(pixels: NDArray[np.uint8], parameters: Parameters) -> RawImage:
    height, width, channels = pixels.shape
    if channels not in (1, 3):
        raise InvalidFrameError(
            f"shape of {PIXELS.name!r} must be [H, W, 1] or [H, W, 3], got {list(pixels.shape)}; drop an alpha channel"
        )
    pixel_format = pixel_format_of(parameters) if channels == 3 else PixelFormat.GRAY8
    return RawImage(pixel_format, width, height, pixels.reshape(-1))


def frame_of(payload: EncodedImage | RawImage, parameters: Parameters, frame_id: int) -> Frame:
    """The frame of a picture; raises :class:`InvalidOptionsError`."""
    return Frame(frame_id, payload, whole_number(parameters, "capture_time_ns"), neutral=flag(parameters, "neutral"))


def output_specs(heads: Mapping[str, tuple[str, ...]]) -> tuple[OutputSpec, ...]:
    """The outputs of a model with these heads and labels: one row per face, over all images."""
    outputs = [
        OutputSpec("face_counts", "INT32", (-1,)),
        OutputSpec("boxes", "FP32", (-1, 4)),
        OutputSpec("scores", "FP32", (-1,)),
        OutputSpec("landmarks", "FP32", (-1, _POINTS, 2)),
        OutputSpec("track_ids", "INT64", (-1,)),
        OutputSpec("sure", "BOOL", (-1,)),
    ]
    for number, (head, labels) in enumerate(heads.items()):
        prefix = f"{head}_" if number else ""
        outputs.append(OutputSpec(f"{prefix}labels", BYTES, (-1,)))
        outputs.append(OutputSpec(f"{prefix}probabilities", "FP32", (-1, len(labels)), labels))
    return tuple(outputs)


def heads_of(results: Sequence[FrameResult]) -> dict[str, tuple[str, ...]]:
    """Heads and labels of the faces in ``results``, empty without one.

    Raises :class:`ModelNotReadyError` if the model was replaced between two pictures by one with other heads.
    """
    found: dict[str, tuple[str, ...]] = {}
    for face in (face for result in results for face in result.faces):
        heads = {head.name: head.labels for head in face.heads}
        if found and heads != found:
            raise ModelNotReadyError("cannot answer: the model changed between two pictures; send the request again")
        found = heads
    return found


def arrays_of(results: Sequence[FrameResult], heads: Mapping[str, tuple[str, ...]]) -> list[Array]:
    """The arrays of :func:`output_specs` for the results of all images of a request."""
    faces = [face for result in results for face in result.faces]
    arrays: list[Array] = [
        np.array([len(result.faces) for result in results], np.int32),
        np.array([face.box for face in faces], np.float32).reshape(-1, 4),
        np.array([face.score for face in faces], np.float32),
        _landmarks(faces),
        np.array([face.track_id for face in faces], np.int64),
        np.array([face.sure for face in faces], np.bool_),
    ]
    for number, labels in enumerate(heads.values()):
        of_head = [face.heads[number] for face in faces]
        arrays.append([head.label.encode() for head in of_head])
        probabilities = np.array([head.probabilities for head in of_head], np.float32)
        arrays.append(probabilities.reshape(-1, len(labels)))
    return arrays


def _landmarks(faces: Sequence[Face]) -> NDArray[np.float32]:
    """NaN for a face of a detector that finds none."""
    missing = np.full((_POINTS, 2), np.nan, np.float32)
    marks = [missing if face.landmarks is None else face.landmarks for face in faces]
    return np.array(marks, np.float32).reshape(-1, _POINTS, 2)
