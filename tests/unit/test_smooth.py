"""Smoothing over time."""

import math

import numpy as np
import pytest

from ferserve.smooth import Smoother

LOW = np.array([1.0, 0.0], np.float32)
HIGH = np.array([0.0, 1.0], np.float32)


@pytest.mark.parametrize("fps", [5, 30, 120])
def test_the_step_response_depends_on_time_and_not_on_the_frame_rate(fps: int) -> None:
    smoother = Smoother(tau_ms=200)
    smoother.smooth(1, "emotion", LOW, 0)
    for i in range(1, fps + 1):
        out = smoother.smooth(1, "emotion", HIGH, i * 1_000_000_000 // fps)
    assert out[1] == pytest.approx(1 - math.exp(-1000 / 200), abs=1e-4)
    assert out.sum() == pytest.approx(1)


def test_tracks_and_heads_are_apart_and_a_new_track_starts_fresh() -> None:
    smoother = Smoother(tau_ms=200)
    smoother.smooth(1, "emotion", LOW, 0)
    assert smoother.smooth(2, "emotion", HIGH, 1).tolist() == HIGH.tolist()
    assert smoother.smooth(1, "age", HIGH, 1).tolist() == HIGH.tolist()


def test_zero_turns_it_off_and_old_tracks_are_forgotten() -> None:
    assert Smoother(0).smooth(1, "emotion", LOW, 0) is LOW
    smoother = Smoother(tau_ms=1000)
    smoother.smooth(1, "emotion", LOW, 0)
    smoother.forget_older(1)
    assert smoother.smooth(1, "emotion", HIGH, 2).tolist() == HIGH.tolist()
