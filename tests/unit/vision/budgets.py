"""Budgets of frames for tests."""

from __future__ import annotations

from ferserve.vision.budget import FrameBudget, FrameLimits


def unlimited(max_pixels: int = 10_000_000) -> FrameBudget:
    """A budget that no picture of up to ``max_pixels`` uses up."""
    return FrameBudget(FrameLimits(max_pixels, max_expansion=10**9, max_frame_ms=600_000), 1)
