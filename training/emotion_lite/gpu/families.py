"""Shapes of the teachers, and what they cost. Needs no framework."""

from __future__ import annotations

from dataclasses import dataclass, replace

from training.models.emotion_stages import HEADS, IMAGE_SIZE, Stage, count_macs


@dataclass(frozen=True)
class Block:
    """Convolutions of one width; the first one halves the grid if ``stride`` is 2."""

    width: int
    stride: int
    depth: int
    """Residual pairs of 3x3 convolutions; single 3x3 convolutions in a plain network."""


@dataclass(frozen=True)
class Family:
    """A network with free kernels: a 3x3 stem, blocks, global mean, one matrix for all heads."""

    name: str
    blocks: tuple[Block, ...]
    stem: int = 64
    residual: bool = True
    """He et al. 2016, arXiv:1512.03385; else plain, as in Khaireddin & Chen 2021, arXiv:2105.03588."""
    squeeze: int = 0
    """Reduction of squeeze-and-excitation (Hu et al. 2018, arXiv:1709.01507); 0 for none."""
    side: int = IMAGE_SIZE
    """The crop is enlarged to this many pixels a side."""
    stem_stride: int = 1
    dropout: float = 0.3

    @property
    def macs(self) -> int:
        """Multiply-accumulates per image."""
        side = self.side // self.stem_stride
        macs, channels = side * side * self.stem * 9, self.stem
        for block in self.blocks:
            side //= block.stride
            macs += _block_macs(block, channels, side, self.residual, self.squeeze)
            channels = block.width
        return macs + channels * sum(HEADS.values())

    def narrowed(self, by: int) -> Family:
        """The same with widths divided by ``by``, at least 8, for a dry run."""
        blocks = tuple(replace(block, width=max(8, block.width // by)) for block in self.blocks)
        return replace(self, blocks=blocks, stem=max(8, self.stem // by))


def _block_macs(block: Block, channels: int, side: int, residual: bool, squeeze: int) -> int:
    area, width = side * side, block.width
    first = area * channels * width * 9
    if not residual:
        return first + (block.depth - 1) * area * width * width * 9
    macs = first + (2 * block.depth - 1) * area * width * width * 9
    if channels != width or block.stride > 1:
        macs += area * channels * width
    return macs + (block.depth * 2 * width * (width // squeeze) if squeeze else 0)


@dataclass(frozen=True)
class Mirrored:
    """The student's kind of network (:mod:`training.models.emotion_stages`), larger: mirrored kernels."""

    name: str
    stages: tuple[Stage, ...]
    dropout: float = 0.2

    @property
    def macs(self) -> int:
        """Multiply-accumulates per image."""
        return count_macs(self.stages)

    def narrowed(self, by: int) -> Mirrored:
        """The same with widths divided by ``by``, at least 8, for a dry run."""
        stages = tuple(replace(stage, width=max(8, stage.width // by // 2 * 2)) for stage in self.stages)
        return replace(self, stages=stages)


RESIDUAL = Family("residual", (Block(64, 1, 2), Block(128, 2, 2), Block(256, 2, 2), Block(512, 2, 1)), dropout=0.3)
SQUEEZED = Family(
    "squeezed", (Block(48, 1, 2), Block(96, 2, 3), Block(192, 2, 3), Block(384, 2, 2)), stem=48, squeeze=8
)
PLAIN = Family(
    "plain", (Block(64, 1, 2), Block(128, 2, 2), Block(256, 2, 2), Block(512, 2, 2)),
    residual=False, side=64, dropout=0.4,
)  # fmt: skip
ENLARGED = Family(
    "enlarged", (Block(64, 1, 1), Block(128, 2, 2), Block(256, 2, 2), Block(512, 2, 2)), side=96, stem_stride=2
)
MIRRORED = Mirrored(
    "mirrored",
    (Stage(64, 1, pairs=1), Stage(128, 2, pairs=2, kernel=2), Stage(256, 2, pairs=2, kernel=2),
     Stage(384, 2, pairs=2, kernel=2), Stage(512, 2, pairs=1, kernel=2)),
)  # fmt: skip
