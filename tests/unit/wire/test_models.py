"""Descriptions of models to messages and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ferserve.types import ModelDescription
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.models import model_from_proto, model_to_proto

words = st.lists(st.text(), max_size=4).map(tuple)
sides = st.integers(0, 2**32 - 1)


@given(
    st.builds(
        ModelDescription,
        heads=st.dictionaries(st.text(), words, max_size=3),
        input_width=sides,
        input_height=sides,
        trained_on=words,
        metrics=st.dictionaries(st.text(), st.floats(allow_nan=False), max_size=3),
    )
)
def test_a_description_comes_back_as_it_was(model: ModelDescription) -> None:
    back = model_from_proto(pb.Model.FromString(model_to_proto(model).SerializeToString()))
    assert back == model
    assert list(back.heads) == list(model.heads), "the emotion comes first"
