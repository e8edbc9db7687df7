"""What a result says of a face."""

import numpy as np
import pytest

from ferserve.rendering.json import label_text
from ferserve.types import Face, HeadResult


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


def test_a_model_that_does_not_tell_is_believed() -> None:
    face = _face(0.6, _head("clarity", ("good", "bad"), 0.1, 0.9), _head("age", ("young", "old"), 0.5, 0.5))
    assert face.certainty == face.confidence
    assert face.sure
