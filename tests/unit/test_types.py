"""Results are values: they compare, hash, print in one line and turn into JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from ferserve.rendering.json import label_text
from ferserve.types import (
    Crops,
    Detections,
    DropReason,
    EncodedImage,
    Face,
    Frame,
    FrameFault,
    FrameResult,
    HeadResult,
    ModelDescription,
    PixelFormat,
    RawImage,
    Timings,
)


def _head(name: str, labels: tuple[str, ...], *probabilities: float) -> HeadResult:
    return HeadResult.of(name, labels, np.array(probabilities, np.float32), frozenset())


def _face(happy: float, *more: HeadResult) -> Face:
    return Face((0, 0, 9, 9), 1.0, (_head("emotion", ("sadness", "happiness"), 1 - happy, happy), *more))


@pytest.mark.parametrize(
    ("clear", "certainty", "words"),
    [(1.0, 0.6, "happiness"), (0.9, 0.54, "happiness"), (0.8, 0.48, "not sure: happiness")],
)
def test_a_face_that_is_hard_to_read_makes_a_weak_answer_not_sure(clear: float, certainty: float, words: str) -> None:
    face = _face(0.6, _head("clarity", ("clear", "unclear"), clear, 1 - clear))
    assert face.certainty == pytest.approx(certainty)
    assert label_text(face) == words


def test_a_model_without_a_clarity_head_is_believed() -> None:
    face = _face(0.6, _head("clarity", ("good", "bad"), 0.1, 0.9), _head("age", ("young", "old"), 0.5, 0.5))
    assert face.certainty == face.confidence
    assert face.sure


@pytest.mark.parametrize(("score", "sure"), [(0.5, False), (0.64, False), (0.65, True), (1.0, True)])
def test_no_emotion_of_a_doubtful_box_is_sure(score: float, sure: bool) -> None:
    face = dataclasses.replace(_face(0.99), score=score)
    assert face.certainty == pytest.approx(0.99)
    assert face.sure is sure


def _steady_face() -> Face:
    """A face whose label has not followed its probabilities yet."""
    probabilities = np.array([0.25, 0.5, 0.125, 0.125], np.float32)
    raw = np.array([0.0, 0.75, 0.0, 0.25], np.float32)
    labels = ("happiness", "sadness", "anger", "unknown")
    head = HeadResult("emotion", labels, probabilities, 0, frozenset({3}), raw)
    return Face((1.0, 2.0, 3.5, 4.0), 0.75, (head,), np.arange(10, dtype=np.float32).reshape(5, 2), track_id=7)


def test_a_head_is_found_by_its_name() -> None:
    face = Face(
        (0, 0, 9, 9), 1.0, (_head("emotion", ("sad", "happy"), 0.5, 0.5), _head("gender", ("f", "m"), 0.1, 0.9))
    )
    assert face.head("gender").label == "m"
    with pytest.raises(KeyError, match="head must be one of emotion, gender, got 'age'"):
        face.head("age")


def test_the_steady_label_and_the_largest_one_have_a_confidence_each() -> None:
    face = _steady_face()
    assert (face.emotion, face.confidence) == ("happiness", 0.25)
    assert (face.top, face.top_confidence) == ("sadness", 0.5)


def test_a_reserved_label_is_never_the_top_one() -> None:
    head = HeadResult.of("emotion", ("calm", "unknown"), np.array([0.25, 0.75], np.float32), frozenset({1}))
    assert (head.label, head.top, head.top_confidence) == ("calm", "calm", 0.25)


def _result(**fields: Any) -> FrameResult:
    return FrameResult(3, 10, width=640, height=480, model_name="m", model_version="1", **fields)


def _values() -> list[tuple[Any, Any]]:
    """Pairs of equal values, each made twice."""
    return [tuple(made) for made in zip(_distinct(), _distinct(), strict=True)]  # type: ignore[misc]


def _distinct() -> list[Any]:
    face = _steady_face()
    pixels = np.zeros((2, 3), np.uint8)
    raw = RawImage(PixelFormat.GRAY8, 3, 2, pixels)
    boxes = np.zeros((1, 4), np.float32)
    model = ModelDescription("m", "1", "", {"emotion": ("a",)}, 1, 1, "luma", "MIT", (), {"x": 0.5}, "CPU", True, "0")
    return [
        _result(faces=(face,)),
        _result(faces=(face, face)),
        _result(),
        _result(timings=Timings(total_ms=1)),
        _result(fault=FrameFault("invalid_frame", "x must be y")),
        _result(dropped=DropReason.SHUTDOWN),
        face,
        dataclasses.replace(face, landmarks=None),
        dataclasses.replace(face, track_id=8),
        face.heads[0],
        dataclasses.replace(face.heads[0], raw_probabilities=None),
        dataclasses.replace(face.heads[0], probabilities=face.heads[0].probabilities[::-1]),
        raw,
        dataclasses.replace(raw, data=pixels + 1),
        EncodedImage(b"x"),
        Crops((EncodedImage(b"x"),)),
        Frame(1, raw),
        Frame(1, raw, boxes=boxes),
        Frame(1, raw, boxes=boxes + 1),
        Detections.empty(),
        Detections.from_boxes(boxes),
        model,
        dataclasses.replace(model, heads={"emotion": ("b",)}),
    ]


@pytest.mark.parametrize(("one", "same"), _values())
def test_equal_values_are_equal_and_hash_alike(one: Any, same: Any) -> None:
    assert one is not same
    assert one == same
    assert hash(one) == hash(same)


def test_different_values_differ() -> None:
    values = _distinct()
    assert len(set(values)) == len(values)
    for i, one in enumerate(values):
        assert [one == other for other in values] == [i == j for j in range(len(values))]
    assert values[0] != "a result"


@pytest.mark.parametrize("value", _distinct(), ids=lambda value: type(value).__name__)
def test_a_value_prints_in_one_short_line(value: Any) -> None:
    if not isinstance(value, Detections):  # arrays of the engine, for developers
        assert "\n" not in repr(value)
        assert len(repr(value)) < 250


def test_a_result_prints_what_people_ask_for() -> None:
    assert repr(_result(faces=(_steady_face(),))) == "FrameResult(3: [Face(#7 happiness 0.25 at 1,2,4,4)])"
    assert repr(_result()) == "FrameResult(3: no face)"
    assert repr(_result(dropped=DropReason.DEADLINE)) == "FrameResult(3: dropped, deadline)"
    fault = FrameFault("invalid_frame", "width must be\n9, got 8")
    assert repr(_result(fault=fault)) == "FrameResult(3: fault invalid_frame: width must be 9, got 8)"
    assert repr(_steady_face().heads) == "(HeadResult(emotion: happiness 0.25),)"
    assert repr(RawImage(PixelFormat.NV12, 4, 2, bytes(12))) == "RawImage(NV12, 4x2 px, 12 bytes)"


def test_a_result_turns_into_json_and_nothing_is_left_out() -> None:
    plain = _result(faces=(_steady_face(),), timings=Timings(infer_ms=2.5)).to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert set(plain) == {f.name for f in dataclasses.fields(FrameResult)}
    assert plain["timings"]["infer_ms"] == 2.5
    assert (plain["width"], plain["height"], plain["fault"], plain["dropped"]) == (640, 480, None, None)
    (face,) = plain["faces"]
    assert (face["emotion"], face["confidence"], face["top"], face["top_confidence"]) == (
        "happiness",
        0.25,
        "sadness",
        0.5,
    )
    assert (face["certainty"], face["sure"], face["track_id"]) == (0.25, False, 7)
    assert face["box"] == [1.0, 2.0, 3.5, 4.0]
    assert face["landmarks"] == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    assert face["heads"][0]["probabilities"] == {"happiness": 0.25, "sadness": 0.5, "anger": 0.125, "unknown": 0.125}
    assert face["heads"][0]["raw_probabilities"]["sadness"] == 0.75


def test_faults_drops_and_models_turn_into_json() -> None:
    fault = _result(fault=FrameFault("invalid_frame", "no")).to_dict()
    assert fault["fault"] == {"code": "invalid_frame", "message": "no"}
    assert _result(dropped=DropReason.SUPERSEDED).to_dict()["dropped"] == "superseded"
    model = _distinct()[-1].to_dict()
    assert json.loads(json.dumps(model)) == model
    assert (model["heads"], model["trained_on"]) == ({"emotion": ["b"]}, [])
