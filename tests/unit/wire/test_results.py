"""Results to messages and back."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ferserve.types import DropReason, Face, FrameFault, FrameResult, HeadResult, Timings
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


def test_a_drop_for_a_reason_of_a_newer_server_counts_as_overload() -> None:
    message = pb.FrameResult(frame_id=7, dropped=pb.Dropped(reason=99))  # type: ignore[arg-type]
    assert result_from_proto(message, LABELS) == FrameResult(7, dropped=DropReason.OVERLOADED)
