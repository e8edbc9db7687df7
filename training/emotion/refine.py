"""Targets with part of the labels' noise taken out by the network's own earlier answers.

FER2013's labels contradict ten taggers on a third of the rows. A network that has trained briefly under strong
augmentation has learnt what most rows agree on, and not yet by heart where single rows are wrong; mixing its answers
into the targets of a second, longer round takes part of that noise away (self-distillation: Furlanello et al. 2018,
arXiv:1805.04770; mixing as in Reed et al. 2015, arXiv:1412.6596, eq. 6).
"""

from __future__ import annotations

import keras
import numpy as np

from training.emotion.calibrate import softmax
from training.emotion.fit import Floats, predict_logits
from training.emotion.samples import Samples
from training.models.emotion_lite import split_heads


def refine_targets(model: keras.Model, samples: Samples, targets: Floats, share: float) -> Floats:
    """(N, 17) ``targets`` with ``share`` of them replaced by the model's probabilities, mean of both mirror images."""
    if not share:
        return targets
    logits = split_heads(predict_logits(model, samples.images, flip=True))
    answers = np.concatenate([softmax(head) for head in logits.values()], axis=1)
    return np.asarray((1 - share) * targets + share * answers, np.float32)
