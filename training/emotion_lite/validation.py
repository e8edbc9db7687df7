"""What PublicTest says of a model while it trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from ferserve.labels import FERPLUS
from training.emotion_lite.fit import predict_logits
from training.emotion_lite.samples import Samples
from training.models.emotion_lite import split_heads

Judge: TypeAlias = Callable[[Any], dict[str, float]]
"""From a Keras model to figures by name."""


def public_test_judge(rows: Samples) -> Judge:
    """Accuracy on ``rows`` by head: FER2013's labels, and FER+'s majority where it is one of the eight."""
    majority = rows.votes.argmax(axis=1)
    named = majority < len(FERPLUS)

    def judge(model: Any) -> dict[str, float]:
        said = {head: logits.argmax(axis=1) for head, logits in split_heads(predict_logits(model, rows.images)).items()}
        return {
            "fer2013": float((said["emotion_fer2013"] == rows.labels).mean()),
            "ferplus": float((said["emotion"] == majority)[named].mean()),
        }

    return judge
