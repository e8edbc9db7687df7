"""What cameras, light and people do to a picture: occlusion, masks, darkness, blur, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.face_lite.faces import Faces
from training.face_lite.scene import MIN_FACE_PX
from training.face_lite.texture import random_texture

Rng = np.random.Generator
Image = NDArray[np.uint8]
Disturbed = tuple[Image, float]
"""A picture, and by how much larger than before a face must be to be seen in it."""


def wear_mask(rng: Rng, image: Image, landmarks: NDArray[np.float32], box: NDArray[np.float32]) -> None:
    """Draw a mask from the bridge of the nose to below the chin, into ``image``."""
    left, right, nose = landmarks[0], landmarks[1], landmarks[2]
    across, down = right - left, (landmarks[3] + landmarks[4]) / 2 - (left + right) / 2
    top = nose - down * rng.uniform(0.05, 0.4)
    chin = (left + right) / 2 + down * rng.uniform(1.6, 2.0)
    width = rng.uniform(0.75, 1.05)
    outline = [top, nose + across * width - down * 0.1, nose + across * width * 0.8 + down * 0.7, chin]
    outline += [nose - across * width * 0.8 + down * 0.7, nose - across * width - down * 0.1]
    shade = int(rng.integers(0, 256))
    cv2.fillPoly(image, [np.round(outline).astype(np.int32)], shade)


def wear_glasses(rng: Rng, image: Image, landmarks: NDArray[np.float32], box: NDArray[np.float32]) -> None:
    """Draw dark glasses over both eyes, into ``image``."""
    left, right = landmarks[0], landmarks[1]
    reach = float(np.hypot(*(right - left)))
    turn = float(np.degrees(np.arctan2(*(right - left)[::-1])))
    shade = int(rng.integers(0, 70))
    axes = (max(1, int(reach * rng.uniform(0.3, 0.45))), max(1, int(reach * rng.uniform(0.18, 0.32))))
    for eye in (left, right):
        cv2.ellipse(image, (int(eye[0]), int(eye[1])), axes, turn, 0, 360, shade, -1)
    cv2.line(image, (int(left[0]), int(left[1])), (int(right[0]), int(right[1])), shade, max(1, int(reach * 0.06)))


def cover(rng: Rng, image: Image, landmarks: NDArray[np.float32], box: NDArray[np.float32]) -> None:
    """Put something flat before up to four tenths of a face, into ``image``."""
    x0, y0, x1, y1 = box
    width, height = (x1 - x0) * rng.uniform(0.15, 0.9), (y1 - y0) * rng.uniform(0.1, 0.45)
    if rng.random() < 0.5:
        width, height = (x1 - x0) * rng.uniform(0.1, 0.45), (y1 - y0) * rng.uniform(0.15, 0.9)
    x, y = int(rng.uniform(x0, x1 - width)), int(rng.uniform(y0, y1 - height))
    x, y = max(0, x), max(0, y)
    part = image[y : y + int(height), x : x + int(width)]
    if part.size:
        part[:] = random_texture(rng, *part.shape) if rng.random() < 0.5 else int(rng.integers(0, 256))


def hide_faces(rng: Rng, image: Image, faces: Faces, chance: float = 0.2) -> None:
    """Hide a part of some of the faces, into ``image``; their labels stay as they are."""
    for row in np.flatnonzero(~faces.ignore & (faces.side >= 14)):
        if rng.random() >= chance:
            continue
        points = faces.landmarks[row]
        kinds = (cover, cover, wear_mask, wear_glasses) if np.isfinite(points).all() else (cover,)
        kinds[int(rng.integers(len(kinds)))](rng, image, points, faces.xyxy[row])


def light(rng: Rng, image: Image) -> Disturbed:
    """Gain, offset, contrast and gamma by one table; one picture in eight is dark."""
    x = np.arange(256, dtype=np.float32) / 255
    factor = 1.0
    if rng.random() < 0.12:
        gain = rng.uniform(0.12, 0.45)
        y = x ** rng.uniform(1.0, 1.6) * gain
        factor = 1 + 0.15 / gain
    else:
        gamma = np.exp(rng.normal(0, 0.35))
        y = (x**gamma - 0.5) * rng.uniform(0.45, 1.35) + 0.5 + rng.normal(0, 0.1)
    return np.asarray(cv2.LUT(image, (y * 255).clip(0, 255).astype(np.uint8)), np.uint8), factor


def shadow(rng: Rng, image: Image) -> Disturbed:
    """Light that falls off across the picture."""
    height, width = image.shape
    corners = rng.uniform(0.35, 1.25, (2, 2)).astype(np.float32)
    field = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.multiply(image, field, dtype=cv2.CV_8U), np.uint8), 1.0


def blur(rng: Rng, image: Image) -> Disturbed:
    """Out of focus, in motion, or enlarged from a smaller picture."""
    kind, (height, width) = rng.random(), image.shape
    if kind < 0.5:
        sigma = float(rng.uniform(0.4, 1.8))
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8), 1 + 0.6 * sigma
    if kind < 0.75:
        length = int(rng.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        turn, middle = rng.uniform(0, np.pi), (length - 1) / 2
        reach = np.array([np.cos(turn), np.sin(turn)]) * middle
        ends = np.round([middle - reach, middle + reach]).astype(int)
        cv2.line(kernel, tuple(map(int, ends[0])), tuple(map(int, ends[1])), 1.0)
        return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8), 1 + 0.15 * length
    part = float(rng.uniform(0.45, 0.9))
    small = cv2.resize(image, None, fx=part, fy=part, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8), 1 / part


def grain(rng: Rng, image: Image) -> Disturbed:
    """Noise of the sensor, normal, standard deviation up to 16 grey values."""
    spread = float(np.exp(rng.uniform(np.log(1.5), np.log(16))))
    noise = np.empty(image.shape, np.int16)
    cv2.setRNGSeed(int(rng.integers(1 << 30)))
    cv2.randn(noise, 0, spread)
    return np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8), 1 + spread / 12


def jpeg(rng: Rng, image: Image) -> Disturbed:
    """Through a JPEG of quality 15 to 90."""
    quality = int(rng.integers(15, 91))
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8), 1.3 if quality < 30 else 1.0


STEPS = ((light, 0.8), (shadow, 0.15), (blur, 0.25), (grain, 0.3), (jpeg, 0.25))
"""What happens to a picture on its way, in this order, and how often."""


def disturb(rng: Rng, image: Image) -> Disturbed:
    """The picture as a worse camera would give it."""
    total = 1.0
    for step, chance in STEPS:
        if rng.random() < chance:
            image, factor = step(rng, image)
            total *= factor
    return image, total


def ignore_lost(faces: Faces, factor: float) -> Faces:
    """Faces that are too small to be seen after a disturbance marked to be ignored.

    Whoever has to find a face in what is left of ten blurred pixels learns to find faces in any blot.
    """
    return Faces(faces.xyxy, faces.landmarks, faces.score, faces.ignore | (faces.side < MIN_FACE_PX * factor))
