"""Labels, values and boxes in the words of ROS4HRI."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ferserve.labels import FER2013, FERPLUS
from ferserve.types import Face, HeadResult


def _face(labels: tuple[str, ...], *probabilities: float, more: tuple[HeadResult, ...] = ()) -> Face:
    head = HeadResult.of("emotion", labels, np.array(probabilities, np.float32), frozenset())
    return Face((0, 0, 9, 9), 0.9, (head, *more))


@pytest.mark.parametrize("labels", [FERPLUS, FER2013])
def test_every_label_of_the_bundled_models_is_a_constant_of_the_message(labels: tuple[str, ...]) -> None:
    from ferserve_ros import mapping
    from hri_msgs.msg import Expression

    known = {value for name, value in vars(Expression).items() if name.isupper() and isinstance(value, str)}
    for index, label in enumerate(labels):
        shown = mapping.expression_of(_face(labels, *np.eye(len(labels))[index]))
        assert (shown.expression in known) == (label != "contempt")
        assert shown.expression or label == "contempt"
        assert (shown.valence, shown.arousal) == mapping.AFFECT[shown.expression or label]
        Expression(
            expression=shown.expression, valence=shown.valence, arousal=shown.arousal, confidence=shown.confidence
        )


def test_valence_and_arousal_are_means_over_the_probabilities() -> None:
    from ferserve_ros.mapping import expression_of

    shown = expression_of(_face(("happiness", "sadness", "neutral"), 0.5, 0.25, 0.25))
    assert (shown.expression, shown.confidence) == ("happy", 0.5)
    assert shown.valence == pytest.approx(0.5 * 0.81 - 0.25 * 0.63)
    assert shown.arousal == pytest.approx(0.5 * 0.51 - 0.25 * 0.27)


def test_the_models_own_valence_and_arousal_count_before_the_means_and_stay_in_range() -> None:
    from ferserve_ros.mapping import expression_of

    affect = HeadResult("affect", ("arousal", "valence"), np.array([1.5, -0.25], np.float32), 0)
    shown = expression_of(_face(("happy", "sad"), 1, 0, more=(affect,)))
    assert (shown.valence, shown.arousal) == (-0.25, 1.0)


def test_labels_that_nobody_knows_have_no_word_and_no_affect() -> None:
    from ferserve_ros.mapping import expression_of

    shown = expression_of(_face(("spiteful", "smug"), 0.7, 0.3))
    assert shown.expression == ""
    assert math.isnan(shown.valence)
    assert math.isnan(shown.arousal)
    assert shown.confidence == pytest.approx(0.7)


def test_boxes_stay_in_the_picture() -> None:
    from ferserve_ros.mapping import normalized_box, pixel_box

    assert normalized_box((-32, 48, 320, 600), 640, 480) == (0, 0.1, 0.5, 1)
    assert pixel_box((-32.4, 47.6, 320.2, 600), 640, 480) == (0, 48, 320, 432)
    assert pixel_box((700, 10, 800, 20), 640, 480) == (640, 10, 0, 10)


def test_an_id_may_be_a_part_of_a_topic() -> None:
    from ferserve_ros.mapping import face_id
    from ferserve_ros.stream_worker import new_stream_id

    ids = {face_id(new_stream_id(), track) for track in range(1, 200)}
    assert len(ids) == 199
    assert all(name.isidentifier() and "__" not in name for name in ids)
