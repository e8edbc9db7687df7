"""The blocking client: every kind of image, every option, and its own end."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import ferserve
from ferserve.errors import FrameDeadlineError
from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from tests import builders
from tests.serving.scripted import scripted_server


def _images(tmp_path: Path) -> dict[str, Any]:
    bgr = builders.astronaut()
    data = builders.jpeg(bgr)
    path = tmp_path / "astronaut.jpg"
    path.write_bytes(data)
    luma = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
    return {
        "bgr array": bgr,
        "luma array": luma,
        "a part of a larger array": np.pad(bgr, ((8, 8), (8, 8), (0, 0)))[8:-8, 8:-8],
        "bytes": data,
        "bytearray": bytearray(data),
        "path": path,
        "name of a file": str(path),
        "encoded": ferserve.EncodedImage(data),
        "raw": ferserve.RawImage(ferserve.PixelFormat.RGB24, 512, 512, bgr[:, :, ::-1].tobytes()),
    }


@pytest.mark.parametrize("encoding", ["auto", "raw", "jpeg"])
def test_every_kind_of_image_shows_the_same_face(served: str, tmp_path: Path, encoding: Any) -> None:
    with ferserve.Client(served, encoding=encoding) as client:
        for name, image in _images(tmp_path).items():
            (face,) = client.classify(image).faces
            x0, y0, x1, y1 = builders.ASTRONAUT_FACE
            assert x0 < (face.box[0] + face.box[2]) / 2 < x1, name
            assert y0 < (face.box[1] + face.box[3]) / 2 < y1, name
            assert set(face.probabilities) == {"dark", "bright"}, name


def test_crops_and_boxes(client: ferserve.Client) -> None:
    shades = [ferserve.EncodedImage(builders.jpeg(np.full((32, 32, 3), shade, np.uint8))) for shade in (10, 240)]
    result = client.classify(ferserve.Crops(tuple(shades)))
    assert [face.emotion for face in result.faces] == ["dark", "bright"]
    boxes = [(0, 0, 100, 100), (50, 50, 200, 200), (300, 300, 512, 512)]
    result = client.classify(builders.astronaut(), boxes)
    assert [face.box for face in result.faces] == boxes
    assert client.classify(builders.astronaut(), []).faces == ()


def test_models_are_described(client: ferserve.Client) -> None:
    described = {model.name: model for model in client.models()}
    assert described["brightness"] == client.model()
    assert client.model().is_default
    assert client.model("other").heads == {"emotion": ("dark", "bright")}


def test_options_reach_the_engine(client: ferserve.Client) -> None:
    bgr = builders.astronaut()
    assert client.classify(bgr, options=ferserve.FrameOptions(min_score=1.0)).faces == ()
    assert client.classify(bgr, options=ferserve.FrameOptions(model="other")).model_name == "other"


def test_a_call_may_take_for_ever(served: str) -> None:
    with ferserve.Client(served, timeout_s=math.inf) as client:
        assert len(client.classify(builders.astronaut()).faces) == 1
        assert client.models(timeout_s=math.inf)


async def test_a_timeout_counts_for_all_that_a_call_asks() -> None:
    """A server of an older version does not tell the labels with the answer."""

    class NoModel(emotion_pb2_grpc.EmotionServiceServicer):
        async def Classify(self, request: Any, context: Any) -> pb.ClassifyResponse:
            return pb.ClassifyResponse(result=pb.FrameResult(model_name="slow", faces=pb.Faces(faces=[pb.Face()])))

        async def GetModel(self, request: Any, context: Any) -> None:
            await asyncio.Event().wait()

    async with scripted_server(NoModel()) as address, ferserve.AsyncClient(address) as client:
        with pytest.raises(FrameDeadlineError, match="within 1 s"):
            await client.classify(b"x", timeout_s=1)


def test_an_unclosed_client_exits_quietly(served: str) -> None:
    code = (
        "import ferserve, sys, numpy as np\n"
        f"client = ferserve.Client({served!r})\n"
        "stream = client.stream(np.zeros((64, 64), np.uint8) for _ in range(100))\n"
        "print(next(stream).frame_id, len(client.models()))\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 ")
