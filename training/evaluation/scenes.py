"""Labelled crops within larger frames, as cameras take them: where the face stands, and what the camera does to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ferserve.detection.factory import open_detector
from training.data.photographs import photograph_paths, read_luma
from training.errors import DataError

Luma = NDArray[np.uint8]
Box = NDArray[np.float32]
"""(x0, y0, x1, y1) px."""

Surroundings = Literal["none", "grey", "edges", "photograph"]
BLEND = 0.25
"""Width of the seam around the crop, part of its side. The crop's own pixels stay as they are."""


@dataclass(frozen=True)
class Scene:
    """How a crop stands in a frame."""

    face_px: int = 96
    """Side of the crop in the frame."""
    surroundings: Surroundings = "photograph"
    """What lies around it: nothing (the crop is the frame), grey, its repeated edges, or a photograph in which it
    takes the place of a face."""
    frame: tuple[int, int] = (640, 480)
    """Width and height, px."""
    roll_deg: float = 0.0
    blur: float = 0.0
    """Standard deviation of the blur, part of the crop's side."""
    quality: int = 0
    """JPEG quality; 0 leaves the pixels as they are."""
    light: float = 1.0
    """Share of the light that reaches the sensor. Half of what is missing, in stops, is amplified, noise with it."""


@dataclass(frozen=True)
class Host:
    """A photograph, and the square of its largest face."""

    luma: Luma
    square: Box


def read_hosts(folder: Path, most: int = 300) -> list[Host]:
    """Photographs below ``folder`` with a face of at least 60 px, evenly spread; at most ``most``.

    Raises :class:`DataError` if there is none.
    """
    detector = open_detector("face-lite")()
    assert detector
    paths = photograph_paths(folder)
    hosts = []
    for path in paths[:: max(1, len(paths) // most)]:
        luma = read_luma(path)
        found = detector.detect(luma, side_px=0, min_score=0.8).xyxy
        sides = (found[:, 2:] - found[:, :2]).max(axis=1, initial=0)
        if sides.max(initial=0) >= 60:
            x0, y0, x1, y1 = found[sides.argmax()]
            centre, half = np.array([x0 + x1, y0 + y1]) / 2, sides.max() / 2
            hosts.append(Host(luma, np.concatenate([centre - half, centre + half]).astype(np.float32)))
        if len(hosts) == most:
            break
    if not hosts:
        raise DataError(f"photographs must name a folder with faces of 60 px or more, got {folder}: none was found")
    return hosts


def render(crop: Luma, scene: Scene, hosts: Sequence[Host], rng: np.random.Generator) -> tuple[Luma, Box]:
    """One frame (H, W) with ``crop`` (S, S) in it, and the square that the crop fills there.

    A ``photograph`` is one of ``hosts``; without hosts the crop's edges are repeated instead.
    """
    larger = scene.face_px > len(crop)
    method = cv2.INTER_CUBIC if larger else cv2.INTER_AREA
    face = np.asarray(cv2.resize(crop, (scene.face_px, scene.face_px), interpolation=method), np.uint8)
    left, top = _corner(scene, rng)
    square = np.array([left, top, left + scene.face_px, top + scene.face_px], np.float32)
    frame = _surround(face, left, top, scene, hosts, rng)
    if scene.roll_deg:
        frame = _rolled(frame, square, scene.roll_deg * float(rng.choice([-1, 1])))
    return _through_camera(frame, scene, rng), square


def _corner(scene: Scene, rng: np.random.Generator) -> tuple[int, int]:
    """Left and top of the crop: anywhere in the frame with half of its side around it."""
    if scene.surroundings == "none":
        return 0, 0
    spare = np.array(scene.frame) - 2 * scene.face_px
    half = scene.face_px // 2
    left, top = (half + int(rng.integers(0, max(1, room))) for room in spare)
    return left, top


def _surround(face: Luma, left: int, top: int, scene: Scene, hosts: Sequence[Host], rng: np.random.Generator) -> Luma:
    side = len(face)
    width, height = scene.frame
    if scene.surroundings == "none":
        return face
    right, bottom = width - left - side, height - top - side
    if scene.surroundings == "grey":
        return np.asarray(cv2.copyMakeBorder(face, top, bottom, left, right, cv2.BORDER_CONSTANT, value=128), np.uint8)
    edges = np.asarray(cv2.copyMakeBorder(face, top, bottom, left, right, cv2.BORDER_REPLICATE), np.uint8)
    if scene.surroundings == "edges" or not hosts:
        return edges
    around = _behind(hosts[int(rng.integers(len(hosts)))], face, left, top, scene.frame)
    return _blended(edges, around, left, top, side)


def _behind(host: Host, face: Luma, left: int, top: int, frame: tuple[int, int]) -> Luma:
    """The host's photograph over the whole frame, its face where ``face`` will be, as bright and contrasty as it."""
    scale = len(face) / float(host.square[2] - host.square[0])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    sized = cv2.resize(host.luma, None, fx=scale, fy=scale, interpolation=method)
    x, y = np.rint(host.square[:2] * scale).astype(int)
    columns = np.clip(np.arange(frame[0]) - left + x, 0, sized.shape[1] - 1)
    rows = np.clip(np.arange(frame[1]) - top + y, 0, sized.shape[0] - 1)
    moved = sized[rows[:, None], columns]  # edges repeated
    its = moved[top : top + len(face), left : left + len(face)]
    gain = np.clip(face.std() / max(float(its.std()), 1.0), 0.5, 2.0)
    levels = np.clip((np.arange(256) - its.mean()) * gain + face.mean(), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(moved, levels), np.uint8)


def _blended(edges: Luma, around: Luma, left: int, top: int, side: int) -> Luma:
    """``around`` with the crop in it, whose repeated edges fade into it over a seam outside the crop."""
    seam = int(BLEND * side) + 1
    rows = slice(max(0, top - seam), top + side + seam)
    columns = slice(max(0, left - seam), left + side + seam)
    y, x = (np.arange(length)[span] for length, span in zip(edges.shape, (rows, columns), strict=True))
    beside = np.maximum(np.maximum(left - x, x - (left + side - 1)), 0)
    above = np.maximum(np.maximum(top - y, y - (top + side - 1)), 0)
    share = np.clip(1 - np.hypot(beside[None], above[:, None]) / (BLEND * side), 0, 1)
    around[rows, columns] = np.rint(edges[rows, columns] * share + around[rows, columns] * (1 - share))
    return around


def _rolled(frame: Luma, square: Box, degrees: float) -> Luma:
    """The frame turned about the crop's centre."""
    x0, y0, x1, y1 = (float(v) for v in square)
    centre = ((x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2)  # between the middles of its first and last pixel
    turn = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    return np.asarray(cv2.warpAffine(frame, turn, frame.shape[::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _through_camera(frame: Luma, scene: Scene, rng: np.random.Generator) -> Luma:
    """Blur, then a darker exposure with the noise of its fewer photons, then the codec."""
    if scene.blur:
        frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), scene.blur * scene.face_px), np.uint8)
    if scene.light < 1:
        frame = _darkened(frame, scene.light, rng)
    if scene.quality:
        _, coded = cv2.imencode(".jpg", frame, (cv2.IMWRITE_JPEG_QUALITY, scene.quality))
        frame = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return frame


ELECTRONS = 16
"""Electrons per level of luma at full light: a small sensor, some 4,000 at white."""
READ_NOISE = 3.0
"""Standard deviation, electrons."""


def _darkened(frame: Luma, light: float, rng: np.random.Generator) -> Luma:
    """A shorter exposure: darker, with the noise of fewer photons (normal, for a Poisson's mean) and of reading."""
    electrons = frame * np.float32(ELECTRONS * light)
    noise = rng.standard_normal(frame.shape, np.float32) * np.sqrt(electrons + np.float32(READ_NOISE**2))
    return np.asarray(np.clip(np.rint((electrons + noise) / (ELECTRONS * light**0.5)), 0, 255), np.uint8)
