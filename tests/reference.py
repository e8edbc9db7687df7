"""Preprocessing in plain NumPy, float64: short, slow, and written apart from the kernels that it judges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferserve.models.spec import InputSpec

Floats = NDArray[np.float64]
BT601 = np.array([0.299, 0.587, 0.114])

# ArcFace's five points on a face of side 1 (InsightFace's 112 px template).
TEMPLATE = (
    np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]) / 112
)


def box_weights(origin: float, step: float, outputs: int, size: int, width: float) -> Floats:
    """(outputs, size): how much of a box of ``width`` round each output's centre each pixel covers; the first and the
    last pixel reach to infinity, which is edge replication.
    """
    centers = origin + (np.arange(outputs) + 0.5) * step
    left, right = np.arange(size, dtype=float), np.arange(size, dtype=float) + 1
    left[0], right[-1] = -np.inf, np.inf
    low, high = centers[:, None] - width / 2, centers[:, None] + width / 2
    overlap = np.clip(np.minimum(high, right) - np.maximum(low, left), 0, None)
    return overlap / overlap.sum(axis=1, keepdims=True)


def triangle_weights(origin: float, step: float, outputs: int, size: int, radius: float) -> Floats:
    """(outputs, size): a triangle round each output's centre, normalised over the pixels that exist."""
    centers = origin + (np.arange(outputs) + 0.5) * step
    pixels = np.arange(size) + 0.5
    weights = np.clip(1 - np.abs(pixels - centers[:, None]) / radius, 0, None)
    nearest = np.clip(np.floor(centers), 0, size - 1).astype(int)
    outside = weights.sum(axis=1) == 0
    weights[outside, nearest[outside]] = 1
    return weights / weights.sum(axis=1, keepdims=True)


def weights(method: str, origin: float, step: float, outputs: int, size: int) -> Floats:
    """The matrix that resizes one axis by ``method``."""
    if method == "antialias":
        return triangle_weights(origin, step, outputs, size, max(step, 1))
    return box_weights(origin, step, outputs, size, max(step, 1) if method == "area" else 1)


def grown(box: NDArray[np.float32], spec: InputSpec) -> tuple[float, float, float, float]:
    """x0, y0, width, height of the box after ``square`` and ``margin``."""
    x0, y0, x1, y1 = map(float, box)
    wide, tall = x1 - x0, y1 - y0
    longer = max(wide, tall)
    if spec.square:
        wide = tall = longer
    wide, tall = wide + 2 * spec.margin * longer, tall + 2 * spec.margin * longer
    return (x0 + x1) / 2 - wide / 2, (y0 + y1) / 2 - tall / 2, wide, tall


def recolored(pixels: Floats, source: str, wanted: str) -> Floats:
    """(..., C) in colour order ``source`` as ``wanted``; luma as one channel."""
    if source == "luma":
        return np.repeat(pixels, 1 if wanted == "luma" else 3, axis=-1)
    rgb = pixels if source == "rgb" else pixels[..., ::-1]
    if wanted == "luma":
        return (rgb @ BT601)[..., None]
    return rgb if wanted == "rgb" else rgb[..., ::-1]


def finished(pixels: Floats, spec: InputSpec) -> Floats:
    """(H, W, C) grey levels normalised and laid out as one row of the batch, still float64."""
    values = (pixels * spec.scale - np.array(spec.mean)) / np.array(spec.std)
    if spec.dtype == "uint8":
        values = np.floor(np.clip(values, 0, 255) + 0.5)
    return values.transpose(2, 0, 1) if spec.layout == "NCHW" else values


def preprocess(image: NDArray[np.uint8], color: str, box: NDArray[np.float32], spec: InputSpec) -> Floats:
    """One upright crop."""
    x0, y0, wide, tall = grown(box, spec)
    pixels = image.reshape(image.shape[0], image.shape[1], -1).astype(np.float64)
    down = weights(spec.resize, y0, tall / spec.height, spec.height, image.shape[0])
    across = weights(spec.resize, x0, wide / spec.width, spec.width, image.shape[1])
    resized = np.einsum("yh,hwc,xw->yxc", down, pixels, across, optimize=True)
    return finished(recolored(resized, color, spec.color), spec)


def similarity(landmarks: Floats, spec: InputSpec) -> Floats:
    """2x3 matrix from output to image pixels: Umeyama's fit of landmarks to the template, inverted."""
    count = 2 if spec.align == "eyes" else 5
    source = landmarks[:count].astype(float)
    side = min(spec.width, spec.height) / (1 + 2 * spec.margin)
    wanted = (TEMPLATE[:count] - 0.5) * side + np.array([spec.width, spec.height]) / 2
    # Unknowns a, b, tx, ty of (a -b tx; b a ty), two equations a landmark.
    rows = [[[x, -y, 1, 0], [y, x, 0, 1]] for x, y in source]
    a, b, tx, ty = np.linalg.lstsq(np.array(rows).reshape(-1, 4), wanted.reshape(-1), rcond=None)[0]
    return np.linalg.inv(np.array([[a, -b, tx], [b, a, ty], [0, 0, 1]]))[:2]


def bilinear(pixels: Floats, points: Floats) -> Floats:
    """Samples of (H, W, C) at continuous ``points`` (..., 2), edges replicated."""
    height, width = pixels.shape[:2]
    x, y = points[..., 0] - 0.5, points[..., 1] - 0.5
    left, top = np.floor(x), np.floor(y)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    columns = [np.clip(left + d, 0, width - 1).astype(int) for d in (0, 1)]
    lines = [np.clip(top + d, 0, height - 1).astype(int) for d in (0, 1)]
    upper = pixels[lines[0], columns[0]] * (1 - fx) + pixels[lines[0], columns[1]] * fx
    lower = pixels[lines[1], columns[0]] * (1 - fx) + pixels[lines[1], columns[1]] * fx
    return upper * (1 - fy) + lower * fy


def aligned(image: NDArray[np.uint8], color: str, landmarks: Floats, spec: InputSpec) -> Floats:
    """One crop aligned by its landmarks: the mean of n x n bilinear samples, n an output pixel's width, at most 16."""
    matrix = similarity(landmarks, spec)
    wide = np.hypot(matrix[0, 0], matrix[1, 0])
    n = 1 if spec.resize == "bilinear" else int(np.clip(np.ceil(wide), 1, 16))
    across, down = (np.arange(spec.width * n) + 0.5) / n, (np.arange(spec.height * n) + 0.5) / n
    grid = np.stack([*np.meshgrid(across, down), np.ones((len(down), len(across)))], axis=-1)
    pixels = image.reshape(image.shape[0], image.shape[1], -1).astype(np.float64)
    samples = bilinear(pixels, grid @ matrix.T)
    mean = samples.reshape(spec.height, n, spec.width, n, -1).mean(axis=(1, 3))
    return finished(recolored(mean, color, spec.color), spec)


def letterbox(luma: NDArray[np.uint8], height: int, width: int, fill: float) -> Floats:
    """The whole image centred in (height, width), aspect kept, area method."""
    scale = min(height / luma.shape[0], width / luma.shape[1])
    tall, wide = max(1, int(luma.shape[0] * scale + 0.5)), max(1, int(luma.shape[1] * scale + 0.5))
    down = weights("area", 0, 1 / scale, tall, luma.shape[0])
    across = weights("area", 0, 1 / scale, wide, luma.shape[1])
    top, left = (height - tall) // 2, (width - wide) // 2
    canvas = np.full((height, width), float(fill))
    canvas[top : top + tall, left : left + wide] = down @ luma.astype(float) @ across.T
    return canvas
