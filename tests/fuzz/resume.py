"""Mutated resume tokens: part of ``make fuzz-wire``, or ``python -m tests.fuzz.resume --seconds 60 --seed 0``.

One half is mutated after sealing, as strangers can do it: only the whole token counts. The other half is sealed after
the mutation, as a server with the key could do it: whatever is accepted must be a state that a stream can go on from.
"""

from __future__ import annotations

import hmac
import random

import numpy as np

from ferserve.pipeline import square_crops
from ferserve.tracking.state import StateSettings, StreamState
from ferserve.types import Detections, HeadResult
from ferserve.types.handover import Handover, head_digest
from ferserve.wire.resume_token import Key, Refusal, owner_digest, seal, unseal
from tests.fuzz import campaign
from tests.fuzz.mutations import mutated

KEY = Key.of(bytes(range(32)))
OWNER = owner_digest("camera", "", authenticated=False)
SETTINGS = StateSettings(("emotion-lite",), 200.0, 1000.0, 2, 4, strict_minimum=False)
HEADS = {"emotion": ("neutral", "happiness", "surprise"), "clarity": ("clear", "unclear")}
KNOWN = {head_digest(*head): head for head in HEADS.items()}
LUMA = np.random.default_rng(0).integers(0, 256, (120, 160), np.uint8)


def play(state: StreamState, faces: int) -> Handover:
    """One more frame with so many faces, and what is known after it."""
    corners = np.array([(5 + 50 * i, 10) for i in range(faces)], np.float32).reshape(-1, 2)
    found = Detections(np.concatenate([corners, corners + 40], axis=1), np.full(faces, 0.9, np.float32))
    now_ns = state.advance(1_000_000_000, 1)
    tracked = state.tracker.update(found, now_ns, LUMA)
    heads = tuple(
        HeadResult.of(name, labels, np.full(len(labels), 1 / len(labels), np.float32), frozenset())
        for name, labels in HEADS.items()
    )
    state.refine([heads] * len(tracked.track_ids), tracked.track_ids, now_ns, neutral=True)
    return state.hand_over(7)


def seeds() -> list[bytes]:
    """Tokens of streams with none to three faces."""
    return [seal(play(StreamState(SETTINGS, square_crops), faces), OWNER, KEY, 1000) for faces in range(4)]


def one_token(token: bytes) -> str:
    """What came of it; raises AssertionError, and whatever should not have been raised."""
    found = unseal(token, OWNER, [KEY], 1000, 60)
    if isinstance(found, Refusal):
        return found.value
    state = StreamState(SETTINGS, square_crops)
    state.take_over(found, KNOWN)
    with np.errstate(all="ignore"):  # of boxes that are huge
        after = play(state, 2)
    assert len(set(after.track_ids)) == len(after.track_ids)
    assert after.last_track_id > found.last_track_id
    return "accepted"


def resealed(body: bytes) -> bytes:
    """The token of a body."""
    return body + hmac.digest(KEY.secret, body, "sha256")


def main() -> None:
    """Fuzz the reading of tokens."""
    tokens = seeds()

    def draw(rng: random.Random) -> tuple[bytes, bool]:
        token, known = rng.choice(tokens), rng.random() < 0.5
        if known:
            return resealed(mutated(rng, token[:-32], tokens)), True
        return mutated(rng, token, tokens), False

    def judge(_: random.Random, drawn: tuple[bytes, bool]) -> str:
        token, known = drawn
        outcome = one_token(token)
        assert outcome != "accepted" or known or token in tokens
        return outcome

    campaign.run("resume", __doc__, draw, judge, lambda drawn: drawn[0])


if __name__ == "__main__":
    main()
