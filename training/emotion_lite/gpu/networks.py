"""Teachers and students in torch. A student computes what the Keras network of the same stages computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from training.emotion_lite.gpu.families import Family, Mirrored
from training.models.emotion_stages import HEADS, Stage

CLASSES = sum(HEADS.values())


class _Squeeze(nn.Module):  # type: ignore[misc]
    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, width // reduction), nn.Linear(width // reduction, width)

    def forward(self, x: Any) -> Any:
        gate = self.up(functional.relu(self.down(x.mean(dim=(2, 3)))))
        return x * torch.sigmoid(gate)[:, :, None, None]


class _Pair(nn.Module):  # type: ignore[misc]
    """A residual pair of 3x3 convolutions."""

    def __init__(self, channels: int, width: int, stride: int, squeeze: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_conv(channels, width, 3, stride), nn.ReLU(inplace=True), *_conv(width, width, 3, 1))
        self.gate = _Squeeze(width, squeeze) if squeeze else nn.Identity()
        self.short = nn.Sequential(*_conv(channels, width, 1, stride)) if (channels, stride) != (width, 1) else None

    def forward(self, x: Any) -> Any:
        return functional.relu(self.gate(self.body(x)) + (x if self.short is None else self.short(x)))


def _conv(channels: int, width: int, kernel: int, stride: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(width)


class Teacher(nn.Module):  # type: ignore[misc]
    """(N, 1, 48, 48) normalised luma to (N, 17) logits."""

    def __init__(self, family: Family) -> None:
        super().__init__()
        self.side = family.side
        layers: list[nn.Module] = [*_conv(1, family.stem, 3, family.stem_stride), nn.ReLU(inplace=True)]
        channels = family.stem
        for block in family.blocks:
            for number in range(block.depth):
                stride = block.stride if number == 0 else 1
                if family.residual:
                    layers.append(_Pair(channels, block.width, stride, family.squeeze))
                else:
                    layers += [*_conv(channels, block.width, 3, stride), nn.ReLU(inplace=True)]
                channels = block.width
        self.features = nn.Sequential(*layers)
        self.drop, self.heads = nn.Dropout(family.dropout), nn.Linear(channels, CLASSES)

    def forward(self, x: Any) -> Any:
        if x.shape[-1] != self.side:
            x = functional.interpolate(x, size=(self.side, self.side), mode="bilinear", align_corners=False)
        return self.heads(self.drop(self.features(x).mean(dim=(2, 3))).float())


class MirrorConvNorm(nn.Module):  # type: ignore[misc]
    """The layer of the same name in :mod:`training.models.emotion_lite`, NCHW; ``learnt`` is (w / 2, C, k, k)."""

    def __init__(self, channels: int, width: int, kernel: int = 3, stride: int = 1, activate: bool = True) -> None:
        super().__init__()
        self.stride, self.padding, self.activate = stride, (kernel - 1) // 2, activate
        self.learnt = nn.Parameter(torch.empty(width // 2, channels, kernel, kernel))
        # Keras's he_normal: a normal distribution cut at two deviations, and scaled back to the wanted one.
        deviation = (2 / (channels * kernel**2)) ** 0.5 / 0.87962566
        nn.init.trunc_normal_(self.learnt, std=deviation, a=-2 * deviation, b=2 * deviation)
        self.norm = nn.BatchNorm2d(width // 2, eps=1e-5, momentum=0.1)

    def forward(self, x: Any) -> Any:
        swapped = torch.roll(self.learnt, self.learnt.shape[1] // 2, dims=1)
        kernel = torch.cat([self.learnt, torch.flip(swapped, dims=(3,))])
        x = functional.conv2d(x, kernel, stride=self.stride, padding=self.padding)
        count, width, rows, columns = x.shape
        # Both halves of the channels share one normalisation: as twice the rows of half as many channels.
        x = x.reshape(count, 2, width // 2, rows, columns).transpose(1, 2)
        x = self.norm(x.reshape(count, width // 2, 2 * rows, columns))
        x = x.reshape(count, width // 2, 2, rows, columns).transpose(1, 2).reshape(count, width, rows, columns)
        return functional.relu(x, inplace=True) if self.activate else x


class MirrorNet(nn.Module):  # type: ignore[misc]
    """``build_model(stages)`` of :mod:`training.models.emotion_lite`: (N, 1, 48, 48) to (N, 17) logits."""

    def __init__(self, stages: Sequence[Stage], dropout: float = 0.2) -> None:
        super().__init__()
        self.layers, channels = nn.ModuleDict(), 1
        self.pairs = [stage.pairs for stage in stages]
        for s, stage in enumerate(stages):
            self.layers[f"stage{s}_in"] = MirrorConvNorm(channels, stage.width, stage.kernel, stage.stride)
            channels = stage.width
            for p in range(stage.pairs):
                self.layers[f"stage{s}_pair{p}_a"] = MirrorConvNorm(channels, channels)
                self.layers[f"stage{s}_pair{p}_b"] = MirrorConvNorm(channels, channels, activate=False)
        self.drop, self.heads = nn.Dropout(dropout), nn.Linear(channels // 2, CLASSES)

    def forward(self, x: Any) -> Any:
        for s, pairs in enumerate(self.pairs):
            x = self.layers[f"stage{s}_in"](x)
            for p in range(pairs):
                x = functional.relu(x + self.layers[f"stage{s}_pair{p}_b"](self.layers[f"stage{s}_pair{p}_a"](x)))
        halves = x.mean(dim=(2, 3)).reshape(len(x), 2, -1).mean(dim=1)
        return self.heads(self.drop(halves).float())

    def keras_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Weights by the names of the Keras layers and variables, in Keras's order of axes."""
        found = {"heads.kernel": self.heads.weight.t(), "heads.bias": self.heads.bias}
        for name, layer in self.layers.items():
            norm = layer.norm
            found |= {
                f"{name}.half": layer.learnt.permute(2, 3, 1, 0),
                f"{name}.gamma": norm.weight, f"{name}.beta": norm.bias,
                f"{name}.moving_mean": norm.running_mean, f"{name}.moving_variance": norm.running_var,
            }  # fmt: skip
        return {name: value.detach().float().cpu().numpy().copy() for name, value in found.items()}


def build_teacher(network: Family | Mirrored) -> nn.Module:
    """A teacher of either kind."""
    return MirrorNet(network.stages, network.dropout) if isinstance(network, Mirrored) else Teacher(network)
