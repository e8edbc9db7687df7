"""Smoothing over time and hysteresis of the label."""

import math

import numpy as np
import pytest

from ferserve.tracking.smoothing import HYSTERESIS_MARGIN, Smoother
from ferserve.types import HeadResult

LABELS = ("neutral", "happiness", "unsure")


def _head(*probabilities: float, name: str = "emotion", reserved: frozenset[int] = frozenset()) -> HeadResult:
    return HeadResult.of(name, LABELS, np.array(probabilities, np.float32), reserved)


LOW, HIGH = _head(1, 0, 0), _head(0, 1, 0)


@pytest.mark.parametrize("fps", [5, 30, 120])
def test_the_step_response_depends_on_time_and_not_on_the_frame_rate(fps: int) -> None:
    smoother = Smoother(tau_ms=200)
    smoother.smooth(1, LOW, 0)
    for i in range(1, fps + 1):
        out = smoother.smooth(1, HIGH, i * 1_000_000_000 // fps)
    assert out.probabilities[1] == pytest.approx(1 - math.exp(-1000 / 200), abs=1e-4)
    assert out.probabilities.sum() == pytest.approx(1)
    assert out.raw_probabilities is HIGH.probabilities


def test_the_label_changes_only_with_a_clear_lead() -> None:
    smoother = Smoother(tau_ms=1)
    close = (0.5 - 0.4 * HYSTERESIS_MARGIN, 0.5 + 0.4 * HYSTERESIS_MARGIN, 0)
    back = (close[1], close[0], 0)
    clear = (0.5 - 0.6 * HYSTERESIS_MARGIN, 0.5 + 0.6 * HYSTERESIS_MARGIN, 0)
    labels = [
        smoother.smooth(1, _head(*p), i * 1_000_000_000).label
        for i, p in enumerate([(1.0, 0.0, 0.0), close, clear, back])
    ]
    assert labels == ["neutral", "neutral", "happiness", "happiness"]


def test_alternating_readings_do_not_flicker() -> None:
    smoother = Smoother(tau_ms=200)
    readings = [_head(0.45, 0.55, 0) if i % 2 else _head(0.55, 0.45, 0) for i in range(60)]
    labels = [smoother.smooth(1, r, i * 33_000_000).label for i, r in enumerate(readings)]
    assert set(labels) == {"neutral"}


def test_reserved_labels_never_come_out_on_top() -> None:
    head = _head(0.2, 0.1, 0.7, reserved=frozenset({2}))
    assert head.label == "neutral"
    assert Smoother(100).smooth(1, head, 0).label == "neutral"


def test_tracks_and_heads_are_apart_and_a_new_track_starts_fresh() -> None:
    smoother = Smoother(tau_ms=200)
    smoother.smooth(1, LOW, 0)
    assert smoother.smooth(2, HIGH, 1).probabilities.tolist() == [0, 1, 0]
    assert smoother.smooth(1, _head(0, 1, 0, name="other"), 1).probabilities.tolist() == [0, 1, 0]


def test_zero_turns_it_off_and_old_tracks_are_forgotten() -> None:
    assert Smoother(0).smooth(1, LOW, 0) is LOW
    smoother = Smoother(tau_ms=1000)
    smoother.smooth(1, LOW, 0)
    smoother.retain({2})
    assert smoother.smooth(1, HIGH, 2).probabilities.tolist() == [0, 1, 0]
