"""Accuracy on PublicTest while a network trains."""

from __future__ import annotations

from typing import Any

from ferserve.labels import FERPLUS
from training.emotion_lite.fit import Validation, predict_logits
from training.emotion_lite.voted_samples import VotedSamples
from training.models.emotion_stages import split_heads


def public_test_accuracy(rows: VotedSamples) -> Validation:
    """Accuracy on ``rows`` by label set: FER2013's labels, and FER+'s majority if it is one of the eight."""
    majority = rows.votes.argmax(axis=1)
    named = majority < len(FERPLUS)

    def validate(model: Any) -> dict[str, float]:
        logits = split_heads(predict_logits(model, rows.images))
        predicted = {head: values.argmax(axis=1) for head, values in logits.items()}
        return {
            "fer2013": float((predicted["emotion_fer2013"] == rows.labels).mean()),
            "ferplus": float((predicted["emotion"] == majority)[named].mean()),
        }

    return validate
