"""Triton's own Python client against a real server: numbers equal those of our own protocol."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferserve
from ferserve import StreamOptions
from ferserve.engine import Engine
from ferserve.inference import service_pb2 as pb
from ferserve.options import Delivery
from ferserve.types import EncodedImage, Frame
from tests.serving.streams import astronaut_jpeg

ROWS = (np.arange(3 * 64, dtype=np.float32) / 250).reshape(3, 1, 8, 8)
BRIGHT = ROWS.mean(axis=(1, 2, 3))
PROGRAM = Path(__file__).with_name("triton_session.py")


@pytest.fixture(scope="module")
def said(served: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Everything that the client heard."""
    picture = tmp_path_factory.mktemp("triton") / "astronaut.jpg"
    picture.write_bytes(astronaut_jpeg())
    command = [sys.executable, "-W", "ignore", str(PROGRAM), served, str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def native(client: ferserve.Client) -> ferserve.Face:
    (face,) = client.classify(astronaut_jpeg()).faces
    return face


def _require_face(said: dict[str, Any], face: ferserve.Face, *, track_id: int = 0) -> None:
    assert said["boxes"] == [pytest.approx(list(face.box))]
    assert said["scores"] == [pytest.approx(face.score)]
    np.testing.assert_allclose(said["landmarks"][0], face.landmarks, rtol=1e-6)
    assert said["track_ids"] == [track_id]
    assert said["labels"] == [face.emotion]
    assert said["probabilities"] == [pytest.approx(face.heads[0].probabilities.tolist(), abs=1e-6)]


def test_server_and_models_introduce_themselves(said: dict[str, Any]) -> None:
    control = said["control"]
    assert (control["live"], control["ready"], control["model_ready"]) == (True, True, [True, True, False])
    assert (control["server"]["name"], control["server"]["version"]) == ("ferserve", ferserve.__version__)
    assert {"classification", "sequence", "statistics"} <= set(control["server"]["extensions"])
    metadata = control["metadata"]
    assert (metadata["name"], metadata["versions"]) == ("brightness", ["1"])
    assert metadata["inputs"] == [{"name": "input", "datatype": "FP32", "shape": ["-1", "1", "8", "8"]}]
    assert metadata["outputs"] == [{"name": "emotion", "datatype": "FP32", "shape": ["-1", "2"]}]
    config = control["config"]
    assert config["max_batch_size"] == 64
    assert config["input"] == [{"name": "input", "data_type": "TYPE_FP32", "dims": ["1", "8", "8"]}]
    assert json.loads(config["parameters"]["labels_emotion"]["string_value"]) == ["dark", "bright"]
    states = {(model["name"], model["version"]): model["state"] for model in control["index"]}
    assert states["brightness", "1"] == states["brightness_frames", "1"] == states["other", "1"] == "READY"


def test_tensors_are_answered_with_the_numbers_of_the_model(said: dict[str, Any], engine: Engine) -> None:
    (expected,) = engine.infer("brightness", ROWS)
    np.testing.assert_allclose(expected[:, 1], BRIGHT, atol=1e-6)
    assert said["infer"]["id"] == "seven"
    np.testing.assert_array_equal(np.float32(said["infer"]["emotion"]), expected)
    values, error = said["infer"]["callback"]
    assert error is None
    np.testing.assert_array_equal(np.float32(values), expected)
    for values in said["asyncio"]["many"]:
        np.testing.assert_array_equal(np.float32(values), expected)


def test_the_most_probable_labels_come_in_tritons_form(said: dict[str, Any]) -> None:
    tops = [f"{1 - b:f}:0:dark" if b < 0.5 else f"{b:f}:1:bright" for b in BRIGHT]
    assert [text[:6] + text[8:] for text in said["infer"]["classes"]] == [top[:6] + top[8:] for top in tops]


def test_a_picture_is_answered_as_by_our_own_protocol(said: dict[str, Any], native: ferserve.Face) -> None:
    _require_face(said["infer"]["frame"], native)


def test_a_sequence_is_answered_as_a_stream_of_our_own_protocol(said: dict[str, Any], engine: Engine) -> None:
    """Four frames, the third of them bad, which ends nothing."""
    options = StreamOptions(delivery=Delivery.EVERY, smoothing_ms=100, detection_interval=1, min_detection_interval=1)
    with engine.open_stream(options) as stream:
        pictures = [astronaut_jpeg(), astronaut_jpeg(), b"no picture", astronaut_jpeg()]
        frames = [Frame(i, EncodedImage(data), i * 33_000_000) for i, data in enumerate(pictures, 1)]
        results = [stream.submit(frame).result(20) for frame in frames]
    assert "must be a known image format" in said["stream"][2]
    for number in (0, 1, 3):
        name, final, faces = said["stream"][number]
        assert (name, final) == (str(number), True)
        _require_face(faces, results[number].faces[0], track_id=1)
    assert [(name, final) for name, final, _ in said["asyncio"]["stream"]] == [(str(i), True) for i in range(4)]
    assert [faces["track_ids"] for _, _, faces in said["asyncio"]["stream"]] == [[1]] * 4


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("model", "NOT_FOUND", "got 'nobody'"),
        ("version", "NOT_FOUND", "version of 'brightness' must be one of 1, got '9'"),
        ("shape", "INVALID_ARGUMENT", "shape of 'input' must be [-1, 1, 8, 8], got [3, 1, 4, 8]"),
        ("shared memory", "UNIMPLEMENTED", "cannot answer SystemSharedMemoryRegister"),
        ("trace", "UNIMPLEMENTED", "cannot answer TraceSetting"),
        ("log", "UNIMPLEMENTED", "cannot answer LogSettings"),
    ],
)
def test_errors_have_a_status_and_a_sentence(said: dict[str, Any], name: str, status: str, words: str) -> None:
    got_status, message = said["errors"][name]
    assert got_status == f"StatusCode.{status}"
    assert words in message


def test_models_are_loaded_by_nobody_unless_the_server_says_so(said: dict[str, Any]) -> None:
    status, message = said["errors"]["admin"]
    assert status == "StatusCode.PERMISSION_DENIED"
    assert "server.admin" in message


def test_a_stream_ends_with_a_status_if_its_client_asks_for_one(said: dict[str, Any]) -> None:
    status, message = said["stream with status"]
    assert status == "StatusCode.NOT_FOUND"
    assert "got 'nobody'" in message


def test_statistics_add_up(said: dict[str, Any]) -> None:
    of = {model["name"]: model for model in said["statistics"]}
    for name, rows, successes, failures in (("brightness", None, 23, 1), ("brightness_frames", 8, 8, 1)):
        model, requests = of[name], of[name]["inference_stats"]
        assert int(requests["success"]["count"]) == successes
        assert int(requests["fail"]["count"]) == failures
        stages = [requests[stage] for stage in ("queue", "compute_input", "compute_infer", "compute_output")]
        assert [int(stage["count"]) for stage in stages] == [successes] * 4
        assert 0 < sum(int(stage["ns"]) for stage in stages) <= int(requests["success"]["ns"])
        batches = [(int(b["batch_size"]), int(b["compute_infer"]["count"])) for b in model["batch_stats"]]
        assert sum(size * count for size, count in batches) == int(model["inference_count"])
        assert sum(count for _, count in batches) == int(model["execution_count"])
        if rows is not None:
            assert int(model["inference_count"]) == rows


def test_our_messages_have_the_numbers_and_types_of_the_clients(said: dict[str, Any]) -> None:
    def walk(message: Any) -> Any:
        yield from message.fields
        for inner in message.nested_types:
            yield from walk(inner)

    ours = [field for message in pb.DESCRIPTOR.message_types_by_name.values() for field in walk(message)]
    assert len(ours) > 100
    for field in ours:
        assert said["fields"][field.full_name] == [field.number, field.type], field.full_name
