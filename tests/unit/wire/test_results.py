"""Results to messages and back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ferserve.types import DropReason, Face, FrameFault, FrameResult, HeadPose, HeadResult, Timings
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.results import HeadLabels, result_from_proto, result_to_proto

LABELS: HeadLabels = {"emotion": ("neutral", "happiness", "sadness"), "clarity": ("clear", "unclear")}

float32s = st.floats(width=32, allow_nan=False)
shares = st.floats(0, 1, width=32)


def _heads(name: str) -> st.SearchStrategy[HeadResult]:
    labels = LABELS[name]
    probabilities = arrays(np.float32, len(labels), elements=shares)
    return st.builds(
        HeadResult,
        name=st.just(name),
        labels=st.just(labels),
        probabilities=probabilities,
        label_index=st.integers(0, len(labels) - 1),
        reserved=st.just(frozenset()),
        raw_probabilities=st.none() | probabilities,
    )


faces = st.builds(
    Face,
    box=st.tuples(float32s, float32s, float32s, float32s),
    score=shares,
    heads=st.tuples(_heads("emotion"), _heads("clarity")),
    landmarks=st.none() | arrays(np.float32, (5, 2), elements=float32s),
    track_id=st.integers(0, 2**32 - 1),
    landmarks_age_ms=float32s,
    head_pose=st.none() | st.builds(HeadPose, float32s, float32s, float32s),
)
outcomes = st.one_of(
    st.fixed_dictionaries({"faces": st.lists(faces, max_size=3).map(tuple)}),
    st.fixed_dictionaries({"fault": st.builds(FrameFault, st.text(), st.text())}),
    st.fixed_dictionaries({"dropped": st.sampled_from(DropReason)}),
)
stages = {field.name: float32s for field in dataclasses.fields(Timings)}
results = outcomes.flatmap(
    lambda outcome: st.builds(
        FrameResult,
        frame_id=st.integers(0, 2**64 - 1),
        capture_time_ns=st.integers(-(2**63), 2**63 - 1),
        timings=st.builds(Timings, **stages),
        model_name=st.text(),
        model_version=st.text(),
        width=st.integers(0, 2**32 - 1),
        height=st.integers(0, 2**32 - 1),
        degraded=st.text(),
        **{name: st.just(value) for name, value in outcome.items()},
    )
)


@given(results)
def test_a_result_comes_back_as_it_was(result: FrameResult) -> None:
    message = pb.FrameResult.FromString(result_to_proto(result).SerializeToString())
    assert message.WhichOneof("outcome") is not None
    assert result_from_proto(message, LABELS) == result


@given(faces)
def test_a_message_gives_the_probability_of_the_label_that_is_told(face: Face) -> None:
    (sent,) = result_to_proto(FrameResult(1, faces=(face,))).faces.faces
    assert [(head.label, head.confidence) for head in sent.heads] == [(h.label, h.confidence) for h in face.heads]


@given(faces)
def test_a_message_gives_what_a_face_computes(face: Face) -> None:
    message, back = _sent(face)
    assert message.sure == face.sure == back.sure
    assert message.certainty == np.float32(face.certainty)
    assert [(head.top, head.top_confidence) for head in message.heads] == [
        (h.top, h.top_confidence) for h in face.heads
    ]
    assert (back.top, back.top_confidence, back.certainty) == (face.top, face.top_confidence, face.certainty)


@pytest.mark.parametrize(
    ("emotion", "clear", "score", "certainty", "sure"),
    [
        (0.75, 0.75, 0.75, 0.5625, True),
        (0.75, 0.5, 0.75, 0.375, False),
        (0.75, 0.75, 0.5, 0.5625, False),
        (0.5, 1, 1, 0.5, True),
        (0.75, None, 0.75, 0.75, True),
    ],
)
def test_certainty_weighs_emotion_and_clarity_and_sure_the_score_too(
    emotion: float, clear: float | None, score: float, certainty: float, sure: bool
) -> None:
    heads = [_head("emotion", emotion, 1 - emotion, 0)]
    if clear is not None:
        heads.append(_head("clarity", clear, 1 - clear))
    message, back = _sent(Face((0, 0, 9, 9), score, tuple(heads)))
    assert (message.certainty, message.sure) == (certainty, sure)
    assert (back.certainty, back.sure) == (certainty, sure)


@pytest.mark.parametrize(
    ("probabilities", "steady", "reserved", "top"),
    [
        ((0.5, 0.375, 0.125), 0, (), "neutral"),
        ((0.125, 0.5, 0.375), 2, (), "happiness"),  # the steady label has not followed
        ((0.5, 0.375, 0.125), 1, (0,), "happiness"),
        ((0.5, 0.125, 0.375), 1, (0,), "sadness"),
        ((0.5, 0.375, 0.125), 2, (0, 1), "sadness"),
        ((0.375, 0.375, 0.25), 1, (0,), "happiness"),  # as probable as a reserved label before it
        ((0.375, 0.375, 0.25), 0, (1,), "neutral"),
    ],
)
def test_the_top_label_is_that_of_the_server_which_knows_the_reserved_ones(
    probabilities: tuple[float, ...], steady: int, reserved: tuple[int, ...], top: str
) -> None:
    head = HeadResult(
        "emotion", LABELS["emotion"], np.array(probabilities, np.float32), steady, reserved=frozenset(reserved)
    )
    message, back = _sent(Face((0, 0, 9, 9), 1, (head,)))
    confidence = probabilities[LABELS["emotion"].index(top)]
    assert (message.heads[0].top, message.heads[0].top_confidence) == (top, confidence)
    assert (back.top, back.top_confidence) == (top, confidence)
    assert (back.emotion, back.confidence) == (LABELS["emotion"][steady], probabilities[steady])


def test_without_a_top_label_from_an_older_server_the_largest_probability_decides() -> None:
    message = result_to_proto(FrameResult(1, faces=(Face((0, 0, 9, 9), 1, (_head("emotion", 0.25, 0.75, 0),)),)))
    for field in ("top", "top_confidence"):
        message.faces.faces[0].heads[0].ClearField(field)
    (face,) = result_from_proto(message, LABELS).faces
    assert (face.emotion, face.top, face.top_confidence) == ("neutral", "happiness", 0.75)


def _head(name: str, *probabilities: float) -> HeadResult:
    return HeadResult(name, LABELS[name], np.array(probabilities, np.float32), label_index=0)


def _sent(face: Face) -> tuple[pb.Face, Face]:
    """The message of ``face``, and the face that the other side makes of it."""
    message = pb.FrameResult.FromString(result_to_proto(FrameResult(1, faces=(face,))).SerializeToString())
    (back,) = result_from_proto(message, LABELS).faces
    return message.faces.faces[0], back


def test_a_drop_for_a_reason_of_a_newer_server_counts_as_overload() -> None:
    message = pb.FrameResult(frame_id=7, dropped=pb.Dropped(reason=99))  # type: ignore[arg-type]
    assert result_from_proto(message, LABELS) == FrameResult(7, dropped=DropReason.OVERLOADED)
