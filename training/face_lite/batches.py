"""Batches of composed pictures for Keras; seed and number alone make each of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from training.common.local_sgd import ONE_PROCESS, ProcessGroup
from training.face_lite.disturb import disturb, hide_faces, ignore_lost
from training.face_lite.photographs import Photograph
from training.face_lite.scene import Pyramid, compose
from training.face_lite.targets import TargetMaker, Targets
from training.face_lite.teacher import Teacher, seen_landmarks


def photograph_weights(photographs: Sequence[Photograph]) -> NDArray[np.float64]:
    """Cumulative probability of each photograph: crowds come up at most four times as often as portraits."""
    faces = np.array([int((~p.faces.ignore).sum()) for p in photographs], np.float64)
    weight = np.sqrt(np.clip(faces, 1, 16))
    return np.asarray(np.cumsum(weight / weight.sum()), np.float64)


class SceneBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """``(luma uint8 (B, S, S, 1), targets)``, the same in every run with the same seed, different in each process."""

    def __init__(
        self,
        photographs: Sequence[Photograph],
        batch_size: int,
        size: int,
        steps: int,
        seed: int,
        first_epoch: int = 0,
        workers: int = 1,
        group: ProcessGroup = ONE_PROCESS,
        teacher: Path | None = None,
        look: float = 0.0,
    ) -> None:
        """``look`` is the share of the landmarks that the ``teacher`` (a weight file) decides on the picture itself."""
        super().__init__(workers=workers, max_queue_size=16)
        self._pyramids = [Pyramid(photograph) for photograph in photographs]
        self._weights = photograph_weights(photographs)
        self._targets = TargetMaker(size, size)
        self._batch_size, self._size, self._steps, self._seed = batch_size, size, steps, seed
        self._epoch, self._group = first_epoch, group
        self._teacher = Teacher(teacher, min_score=0.5) if teacher and look else None
        self._look = look

    @property
    def num_batches(self) -> int:
        """Batches per epoch."""
        return self._steps

    def on_epoch_end(self) -> None:
        """Move on to the next epoch's pictures."""
        self._epoch += 1

    def picture(self, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Targets]:
        """One picture and its targets."""
        image, faces = compose(rng, self._pyramids, self._weights, self._size)
        if self._teacher:
            faces = seen_landmarks(self._teacher, image, faces, self._look)
        hide_faces(rng, image, faces)
        image, factor = disturb(rng, image)
        return image, self._targets.make(ignore_lost(faces, factor))

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], Targets]:
        rng = np.random.default_rng((self._seed, self._epoch, index * self._group.size + self._group.rank))
        pictures = [self.picture(rng) for _ in range(self._batch_size)]
        luma = np.stack([image for image, _ in pictures])[..., None]
        return luma, Targets(
            faces=np.stack([targets["faces"] for _, targets in pictures]),
            candidates=np.stack([targets["candidates"] for _, targets in pictures]),
            owner=np.stack([targets["owner"] for _, targets in pictures]),
            counted=np.stack([targets["counted"] for _, targets in pictures]),
        )
