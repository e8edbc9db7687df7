"""A person's neutral face reads as neutral, and emotions stay what they are."""

import numpy as np
import pytest

from ferserve.tracking.neutral import NEUTRAL_TARGET, NeutralCalibration
from ferserve.types import HeadResult

LABELS = ("neutral", "happiness", "sadness")


def _head(*probabilities: float, labels: tuple[str, ...] = LABELS) -> HeadResult:
    return HeadResult.of("emotion", labels, np.array(probabilities, np.float32), frozenset())


RESTS_SAD = _head(0.35, 0.05, 0.6)
HAPPY = _head(0.08, 0.9, 0.02)


def test_a_face_that_rests_sad_reads_neutral_after_marked_frames() -> None:
    calibration = NeutralCalibration(first_ms=0)
    assert calibration.correct(1, RESTS_SAD, 0, neutral=False) is RESTS_SAD
    for i in range(5):
        calibration.correct(1, RESTS_SAD, i, neutral=True)
    corrected = calibration.correct(1, RESTS_SAD, 10, neutral=False)
    assert corrected.label == "neutral"
    assert corrected.probabilities[0] == pytest.approx(NEUTRAL_TARGET, abs=0.05)
    assert corrected.probabilities.sum() == pytest.approx(1)
    assert calibration.correct(1, HAPPY, 11, neutral=False).label == "happiness"
    assert calibration.correct(2, RESTS_SAD, 11, neutral=False) is RESTS_SAD


def test_the_first_moments_of_a_track_count_if_asked_for() -> None:
    calibration = NeutralCalibration(first_ms=1000)
    for i in range(40):
        corrected = calibration.correct(1, RESTS_SAD, i * 33_000_000, neutral=False)
    assert corrected.label == "neutral"
    before = calibration.correct(1, HAPPY, 2_000_000_000, neutral=False).probabilities
    assert calibration.correct(1, HAPPY, 3_000_000_000, neutral=False).probabilities.tolist() == before.tolist()
    assert before.argmax() == 1


def test_each_head_has_a_reference_of_its_own() -> None:
    calibration = NeutralCalibration(first_ms=0)
    two_labels = HeadResult.of("mood", ("sad", "neutral"), np.array([0.6, 0.4], np.float32), frozenset())
    for head in (RESTS_SAD, two_labels):
        calibration.correct(1, head, 0, neutral=True)
    for head in (RESTS_SAD, two_labels):
        assert calibration.correct(1, head, 1, neutral=False).label == "neutral"


def test_heads_without_neutral_pass_and_old_tracks_are_forgotten() -> None:
    calibration = NeutralCalibration(first_ms=0)
    age = _head(0.2, 0.3, 0.5, labels=("young", "middle", "old"))
    assert calibration.correct(1, age, 0, neutral=True) is age
    calibration.correct(1, RESTS_SAD, 0, neutral=True)
    calibration.retain({2})
    assert calibration.correct(1, RESTS_SAD, 2, neutral=False) is RESTS_SAD
