"""Unary calls through a real server."""

from __future__ import annotations

from typing import Any

import cv2
import grpc
import numpy as np
import pytest

from ferserve.errors import KIND_KEY
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.metadata import as_dict
from tests import builders
from tests.serving.bad_frames import BAD_FRAMES
from tests.serving.streams import astronaut_jpeg


async def _classify(stub: Any, options: dict[str, Any] | None = None, **frame: Any) -> pb.FrameResult:
    request = pb.ClassifyRequest(frame=pb.Frame(**frame), options=pb.ClassifyOptions(**(options or {})))
    return (await stub.Classify(request, timeout=20)).result


async def test_the_face_of_a_photograph(stub: Any) -> None:
    result = await _classify(stub, frame_id=7, capture_time_ns=99, encoded=astronaut_jpeg())
    assert (result.frame_id, result.capture_time_ns) == (7, 99)
    assert (result.width, result.height) == (512, 512)
    assert (result.model_name, result.model_version) == ("brightness", "1")
    assert result.WhichOneof("outcome") == "faces"
    (face,) = result.faces.faces
    x0, y0, x1, y1 = builders.ASTRONAUT_FACE
    centre = ((face.box.x0 + face.box.x1) / 2, (face.box.y0 + face.box.y1) / 2)
    assert x0 < centre[0] < x1
    assert y0 < centre[1] < y1
    assert 0.5 <= face.score <= 1
    (head,) = face.heads
    assert head.name == "emotion"
    assert sum(head.probabilities) == pytest.approx(1, abs=1e-5)
    assert head.confidence == pytest.approx(max(head.probabilities))
    assert (head.top, head.top_confidence) == (head.label, head.confidence)
    assert face.certainty == head.confidence  # the model has no clarity
    assert face.sure == (face.score >= 0.65 and face.certainty >= 0.5)
    assert 0 < result.timings.decode_ms <= result.timings.total_ms


async def test_a_file_without_its_end_marker_is_classified_and_noted(stub: Any) -> None:
    whole = await _classify(stub, encoded=astronaut_jpeg())
    result = await _classify(stub, encoded=astronaut_jpeg()[:-2])
    assert whole.degraded == ""
    assert result.degraded == "Premature end of JPEG file"
    assert result.faces == whole.faces
    crops = pb.Crops(images=[pb.Image(encoded=astronaut_jpeg()), pb.Image(encoded=astronaut_jpeg()[:-2])])
    assert (await _classify(stub, crops=crops)).degraded == "crops.images[1]: Premature end of JPEG file"


async def test_a_picture_without_a_face_is_a_success(stub: Any) -> None:
    result = await _classify(stub, encoded=builders.jpeg(builders.empty_scene()))
    assert result.WhichOneof("outcome") == "faces"
    assert len(result.faces.faces) == 0


async def test_boxes_skip_detection_and_are_answered_in_their_order(stub: Any) -> None:
    luma = np.zeros((40, 80), np.uint8)
    luma[:, 40:] = 255
    raw = pb.RawImage(format=pb.PIXEL_FORMAT_GRAY8, width=80, height=40, data=luma.tobytes())
    boxes = [pb.Box(x0=44, y0=4, x1=76, y1=36), pb.Box(x0=4, y0=4, x1=36, y1=36)]
    result = await _classify(stub, raw=raw, boxes=pb.Boxes(boxes=boxes))
    assert [face.heads[0].label for face in result.faces.faces] == ["bright", "dark"]
    assert [face.box.x0 for face in result.faces.faces] == [44, 4]
    assert [face.score for face in result.faces.faces] == [1, 1]


async def test_no_boxes_and_an_empty_list_of_boxes_differ(stub: Any) -> None:
    empty = await _classify(stub, encoded=astronaut_jpeg(), boxes=pb.Boxes())
    assert len(empty.faces.faces) == 0
    absent = await _classify(stub, encoded=astronaut_jpeg())
    assert len(absent.faces.faces) == 1


async def test_crops_are_one_face_each(stub: Any) -> None:
    white = builders.jpeg(np.full((48, 40, 3), 250, np.uint8))
    black = pb.RawImage(format=pb.PIXEL_FORMAT_BGR24, width=20, height=20, data=bytes(1200))
    crops = pb.Crops(images=[pb.Image(encoded=white), pb.Image(raw=black)])
    result = await _classify(stub, crops=crops)
    assert [face.heads[0].label for face in result.faces.faces] == ["bright", "dark"]


def _raw_formats() -> dict[str, pb.RawImage]:
    bgr = builders.astronaut()
    i420 = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
    u, v = i420[512:640].reshape(-1), i420[640:].reshape(-1)
    nv12 = np.concatenate([i420[:512].reshape(-1), np.stack([u, v], 1).reshape(-1)])
    yuyv = np.full((512, 512, 2), 128, np.uint8)
    yuyv[:, :, 0] = i420[:512]
    padded = np.zeros((512, 530), np.uint8)
    padded[:, :512] = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    planes: dict[str, tuple[int, np.ndarray, int]] = {
        "gray8": (pb.PIXEL_FORMAT_GRAY8, padded[:, :512].copy(), 0),
        "gray8 with stride": (pb.PIXEL_FORMAT_GRAY8, padded, 530),
        "bgr24": (pb.PIXEL_FORMAT_BGR24, bgr, 0),
        "rgb24": (pb.PIXEL_FORMAT_RGB24, bgr[:, :, ::-1], 0),
        "i420": (pb.PIXEL_FORMAT_I420, i420, 0),
        "nv12": (pb.PIXEL_FORMAT_NV12, nv12, 0),
        "yuyv": (pb.PIXEL_FORMAT_YUYV, yuyv, 0),
    }
    return {
        name: pb.RawImage(format=number, width=512, height=512, stride_bytes=stride, data=array.tobytes())
        for name, (number, array, stride) in planes.items()
    }


@pytest.mark.parametrize("name", _raw_formats())
async def test_every_raw_format_shows_the_same_face(stub: Any, name: str) -> None:
    expected = (await _classify(stub, encoded=astronaut_jpeg())).faces.faces[0].box
    result = await _classify(stub, raw=_raw_formats()[name])
    (face,) = result.faces.faces
    assert face.box.x0 == pytest.approx(expected.x0, abs=12)
    assert face.box.y1 == pytest.approx(expected.y1, abs=12)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "BMP", "GIF", "TIFF"])
async def test_every_file_format_is_read(stub: Any, image_format: str) -> None:
    data = builders.encoded(builders.rgb_picture(), image_format)
    assert len((await _classify(stub, encoded=data)).faces.faces) == 1


@pytest.mark.parametrize("name", BAD_FRAMES)
async def test_a_bad_image_fails_its_call_and_no_other(stub: Any, name: str) -> None:
    frame, words = BAD_FRAMES[name]
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await _classify(stub, **frame)
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert words in failure.value.details()
    assert as_dict(failure.value.trailing_metadata())[KIND_KEY] == "invalid_frame"
    assert len((await _classify(stub, encoded=astronaut_jpeg())).faces.faces) == 1


async def test_an_unknown_model_is_not_found(stub: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await _classify(stub, {"model": "bright"}, encoded=astronaut_jpeg())
    assert failure.value.code() is grpc.StatusCode.NOT_FOUND
    assert "got 'bright'" in failure.value.details()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_score": 1.5}, "min_score must be from 0 to 1"),
        ({"min_score": float("nan")}, "min_score must be from 0 to 1"),
        ({"detection_side_px": 60_000}, "detection_side_px must be at most 2048 px"),
    ],
)
async def test_options_out_of_range_are_refused(stub: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await _classify(stub, options, encoded=astronaut_jpeg())
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert words in failure.value.details()


async def test_models_are_listed_and_told_of(stub: Any) -> None:
    listed = (await stub.ListModels(pb.ListModelsRequest())).models
    assert {"brightness", "other"} <= {model.name for model in listed}
    assert [model.name for model in listed if model.is_default] == ["brightness"]
    default = await stub.GetModel(pb.GetModelRequest())
    assert default.name == "brightness"
    assert list(default.heads[0].labels) == ["dark", "bright"]
    assert len(default.sha256) == 64
    assert "ONNX Runtime" in default.runs_on
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stub.GetModel(pb.GetModelRequest(name="nobody"))
    assert failure.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_second_model_answers_when_it_is_asked_for(stub: Any) -> None:
    result = await _classify(stub, {"model": "other"}, encoded=astronaut_jpeg())
    assert result.model_name == "other"
