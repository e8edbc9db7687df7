"""Augmentation on the device: the recipe's changes (:mod:`training.emotion_lite.augment`) for a whole batch at once.

Every batch takes the same operations on the same shapes, chosen by masks and never by branches, so that a step can be
recorded once and replayed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from training.models.emotion_stages import MEAN, STD


@dataclass(frozen=True)
class Disturbance:
    """Ranges as in :class:`training.emotion_lite.augment.FaceAugmentation`; every probability is per image."""

    rotation_deg: float = 12.0
    scale: float = 0.12
    shift: float = 0.08
    aspect: float = 0.06
    contrast: float = 0.3
    brightness: float = 0.2
    degrade: float = 0.2
    erase: float = 0.25
    mixup: float = 0.1


def disturb(images: Any, targets: Any, options: Disturbance, groups: int = 1) -> tuple[Any, Any]:
    """uint8 (N, S, S) and (N, K) targets to normalised float32 (N, 1, S, S) and mixed targets, on their device.

    Rows come in ``groups`` of equal size and are mixed within their group only.
    """
    pixels = _warp(images[:, None].float(), options)
    pixels = _lose_detail(pixels, options.degrade)
    shape = (len(pixels), 1, 1, 1)
    pixels = (pixels / 255 - MEAN) / STD
    pixels = pixels * torch.exp(_uniform(shape, options.contrast, pixels))
    pixels = pixels + _uniform(shape, options.brightness / STD, pixels)
    return _mix(_erase(pixels, options.erase), targets, options.mixup, groups)


def normalise(images: Any) -> Any:
    """uint8 (N, S, S) to float32 (N, 1, S, S)."""
    return (images[:, None].float() / 255 - MEAN) / STD


def _uniform(shape: tuple[int, ...], largest: float, like: Any) -> Any:
    return (torch.rand(shape, device=like.device) * 2 - 1) * largest


def _warp(pixels: Any, options: Disturbance) -> Any:
    """Mirror, turn, zoom, stretch and shift, bilinear with repeated edges."""
    count = len(pixels)
    angle = _uniform((count,), math.radians(options.rotation_deg), pixels)
    zoom = torch.exp(_uniform((count,), options.scale, pixels))
    stretch = torch.exp(_uniform((count,), options.aspect, pixels))
    mirror = (torch.rand(count, device=pixels.device) < 0.5).float() * 2 - 1
    shift = _uniform((count, 2), 2 * options.shift, pixels)  # the grid runs from -1 to 1
    cosine, sine = torch.cos(angle), torch.sin(angle)
    maps = torch.stack([
        torch.stack([cosine * zoom * stretch * mirror, -sine * zoom / stretch, shift[:, 0]], dim=1),
        torch.stack([sine * zoom * stretch * mirror, cosine * zoom / stretch, shift[:, 1]], dim=1),
    ], dim=1)  # fmt: skip
    grid = functional.affine_grid(maps, list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _lose_detail(pixels: Any, probability: float) -> Any:
    """Some images as a small face, an unfocused lens or a codec would give them, one third each."""
    side = pixels.shape[-1]
    half = functional.avg_pool2d(pixels, 2)
    small = functional.interpolate(half, size=(side, side), mode="bilinear", align_corners=False)
    blur = _gaussian(1.0, pixels)
    soft = functional.conv2d(functional.pad(pixels, (3, 3, 3, 3), mode="replicate"), blur)
    draw = torch.rand((len(pixels), 1, 1, 1), device=pixels.device) / max(probability, 1e-9)
    pixels = torch.where(draw < 1 / 3, small, pixels)
    pixels = torch.where((draw >= 1 / 3) & (draw < 2 / 3), soft, pixels)
    return torch.where((draw >= 2 / 3) & (draw < 1), _coded(pixels), pixels)


def _gaussian(sigma: float, like: Any) -> Any:
    at = torch.arange(-3, 4, device=like.device, dtype=like.dtype)
    line = torch.exp(-(at**2) / (2 * sigma**2))
    line = line / line.sum()
    return (line[:, None] * line[None])[None, None]


def _coded(pixels: Any) -> Any:
    """JPEG's loss: blocks of 8x8, their cosine transform rounded to steps that grow with frequency; random quality."""
    count, _, side, _ = pixels.shape
    blocks = side // 8
    at = torch.arange(8, device=pixels.device, dtype=pixels.dtype)
    basis = torch.cos(math.pi * (at[None] + 0.5) * at[:, None] / 8) * 0.5
    basis = torch.cat([basis[:1] * 2**-0.5, basis[1:]])
    cut = pixels.reshape(count, blocks, 8, blocks, 8).transpose(2, 3) - 128
    frequencies = basis @ cut @ basis.t()
    # Luma's table of the standard (ITU T.81, K.1), as a plane: 16 at the mean, some 110 at the finest detail.
    table = 16 + 6.5 * (at[:, None] + at[None])
    step = table * (0.4 + 1.6 * torch.rand((count, 1, 1, 1, 1), device=pixels.device))
    decoded = basis.t() @ (torch.round(frequencies / step) * step) @ basis + 128
    return decoded.transpose(2, 3).reshape(count, 1, side, side).clamp(0, 255)


def _erase(pixels: Any, probability: float) -> Any:
    """Cover a random rectangle of some images with one grey (Zhong et al. 2020, arXiv:1708.04896)."""
    count, side = len(pixels), pixels.shape[-1]
    size = side * (1 / 8 + 3 / 8 * torch.rand((count, 2), device=pixels.device))
    start = torch.rand((count, 2), device=pixels.device) * (side - size)
    at = torch.arange(side, device=pixels.device)[None]
    rows, columns = (((at >= start[:, k, None]) & (at < (start + size)[:, k, None])) for k in range(2))
    chosen = (torch.rand((count, 1, 1, 1), device=pixels.device) < probability) & (
        rows[:, None, :, None] & columns[:, None, None, :]
    )
    return torch.where(chosen, _uniform((count, 1, 1, 1), 1.5, pixels), pixels)


def _mix(pixels: Any, targets: Any, alpha: float, groups: int) -> tuple[Any, Any]:
    """Blend every row with the next one of its group (Zhang et al. 2018, arXiv:1710.09412)."""
    if not alpha:
        return pixels, targets
    # Close to Beta(a, a) for a small a: powers of uniform draws, as in Johnk's sampler (1964) without its rejection,
    # with which the work would depend on the draw.
    one, other = (torch.rand(len(pixels), device=pixels.device) ** (1 / alpha) for _ in range(2))
    share = (one + 1e-30) / (one + other + 1e-30)
    share = torch.maximum(share, 1 - share)
    next_pixels, next_targets = _next(pixels, groups), _next(targets, groups)
    rows = share[:, None, None, None]
    return pixels * rows + next_pixels * (1 - rows), targets * share[:, None] + next_targets * (1 - share[:, None])


def _next(rows: Any, groups: int) -> Any:
    return torch.roll(rows.reshape(groups, -1, *rows.shape[1:]), 1, dims=1).reshape(rows.shape)
