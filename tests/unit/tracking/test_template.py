"""Template following finds a face that moved."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from ferserve.pipeline import square_crops
from ferserve.tracking.template import TEMPLATE_PX, cut_templates, match_templates

GREY: NDArray[np.uint8] = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)
FACE = np.array([177, 66, 272, 161], np.float32)


def _moved(dx: float, dy: float) -> NDArray[np.uint8]:
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    moved = cv2.warpAffine(GREY, move, GREY.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def _match(luma: NDArray[np.uint8], template_of: NDArray[np.uint8]) -> tuple[tuple[float, float], float]:
    """Shift and correlation of the face in ``template_of`` on ``luma``."""
    templates = list(cut_templates(template_of, FACE[None], square_crops))
    shifts, correlations = match_templates(luma, FACE[None], templates, square_crops)
    return shifts[0], correlations[0]


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (12.5, -7.25), (-30, 30), (40, 0)])
def test_the_template_is_found_after_the_picture_moved(dx: float, dy: float) -> None:
    shift, correlation = _match(_moved(dx, dy), GREY)
    cell = (FACE[2] - FACE[0]) / TEMPLATE_PX
    np.testing.assert_allclose(shift, [dx, dy], atol=0.4 * cell)
    assert correlation > 0.85


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0), (0.4, 0), (0.5, 100), (1.2, -30)])
def test_brightness_and_contrast_do_not_matter(gain: float, offset: float) -> None:
    relit = np.clip(gain * _moved(8, 5) + offset, 0, 255).astype(np.uint8)
    shift, correlation = _match(relit, GREY)
    np.testing.assert_allclose(shift, [8, 5], atol=1.5)
    assert correlation > 0.85


def test_each_template_is_searched_around_its_own_box() -> None:
    """Shifts are exact to a part of a cell, in the order of the boxes, for faces of any size."""
    half = cv2.resize(GREY, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    luma = np.full((512, 512 + 256), 90, np.uint8)
    luma[:, :512], luma[:256, 512:] = GREY, half
    boxes = np.stack([FACE, FACE / 2 + np.array([512, 0] * 2, np.float32)])
    templates = list(cut_templates(luma, boxes, square_crops))
    off = np.array([[9, -6, 9, -6], [-4, 5, -4, 5]], np.float32)
    shifts, correlations = match_templates(luma, boxes + off, templates, square_crops)
    np.testing.assert_allclose(shifts, -off[:, :2], atol=1.0)
    assert min(correlations) > 0.9


def test_a_flat_picture_has_no_correlation() -> None:
    flat = np.full_like(GREY, 128)
    assert _match(flat, flat)[1] == 0
    assert _match(flat, GREY)[1] < 0.2
    assert _match(GREY, flat)[1] == 0
