"""One training of face-lite, as each process runs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import keras

from training.common.local_sgd import ProcessGroup, use_one_thread
from training.face_lite.batches import SceneBatches
from training.face_lite.fit import FitRound, fit_rounds, load_average
from training.face_lite.photographs import Photograph, load_photographs
from training.models.face_lite import FaceLiteConfig, build_face_lite


@dataclass(frozen=True)
class TrainingJob:
    """Everything that a process needs to load its data and train."""

    config: FaceLiteConfig
    rounds: tuple[FitRound, ...]
    data: Path
    labels: Path
    limit: int | None
    out: Path
    seed: int
    teacher: Path | None = None
    """YuNet's weights, for rounds in which it labels every picture."""

    def photographs(self) -> list[Photograph]:
        """All photographs, validation included."""
        return list(load_photographs(self.data, self.labels, self.limit))

    def learnt(self) -> list[Photograph]:
        """Training photographs."""
        return [photograph for photograph in self.photographs() if not photograph.is_validation]

    def network(self) -> keras.Model:
        """An untrained network that computes in bfloat16."""
        size, policy = self.rounds[-1].size, keras.mixed_precision.global_policy()
        # Half the bytes a convolution moves; head, loss, averages and the exported weights stay float32.
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
        try:
            return build_face_lite(size, size, self.config)
        finally:
            keras.mixed_precision.set_global_policy(policy)

    def trained(self, steps: int = 60) -> keras.Model:
        """The network with the averaged weights of the state in ``out``, and statistics over ``steps`` batches."""
        network, last = self.network(), self.rounds[-1]
        fresh = SceneBatches(self.learnt(), last.batch_size, last.size, steps, self.seed, first_epoch=1 << 20)
        load_average(network, last, self.out, fresh, steps)
        return network


def train(group: ProcessGroup, job: TrainingJob) -> None:
    """Body of each process; rank 0 writes the state."""
    cv2.setNumThreads(1)  # the threads belong to the network
    if group.size > 1:
        use_one_thread()
    # The same initial weights in every process, but different pictures.
    keras.utils.set_random_seed(job.seed)
    fit_rounds(job.network(), job.rounds, job.learnt(), job.out, job.seed, group, job.teacher)
