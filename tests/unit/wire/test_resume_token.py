"""Resume tokens as bytes."""

from __future__ import annotations

import random

import numpy as np
import pytest

from ferserve.wire.resume_token import MAX_BYTES, Key, Refusal, owner_digest, seal, unseal
from tests.benchmarks.subjects.tracking import state_of
from tests.fuzz import resume
from tests.fuzz.mutations import mutated

KEY, OWNER = resume.KEY, resume.OWNER
NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize("faces", [0, 1, 4, 48])
@pytest.mark.parametrize("neutral_ms", [0.0, 1000.0])
def test_what_was_sealed_comes_back(faces: int, neutral_ms: float) -> None:
    """Boxes to a thousandth of a pixel, probabilities to one part in 65535."""
    sent = state_of(faces, neutral_ms).hand_over(2**40)
    got = unseal(seal(sent, OWNER, KEY, NOW_MS), OWNER, [KEY], NOW_MS + 2500, 60)
    assert not isinstance(got, Refusal)
    equal = ("frame_id", "settings", "now_ns", "capture_ns", "last_track_id", "size", "track_ids", "heads", "labels")
    for name in equal:
        assert getattr(got, name) == getattr(sent, name)
    assert got.age_s == 2.5
    np.testing.assert_allclose(got.places, sent.places, rtol=1e-6, atol=1e-3)
    assert len(got.filters) == 3 * faces
    assert len(got.references) == (faces if neutral_ms else 0)
    for mine, theirs in zip([*got.filters, *got.references], [*sent.filters, *sent.references], strict=True):
        assert mine[:4] == theirs[:4]
        np.testing.assert_allclose(mine[4], theirs[4], atol=1 / 65535)


@pytest.mark.parametrize(("faces", "at_most"), [(4, 1024), (48, MAX_BYTES)])
def test_tokens_are_small(faces: int, at_most: int) -> None:
    """With the heads of the bundled models and a neutral reference for each face."""
    assert len(seal(state_of(faces, 1000.0).hand_over(1), OWNER, KEY, NOW_MS)) <= at_most


def test_what_does_not_fit_is_left_out() -> None:
    """Of a model with thousands of labels the places travel alone."""
    sent = state_of(4).hand_over(1)
    column = sent.column("species", tuple(map(str, range(5000))))
    sent.filters += [(face, column, 0, 0, np.zeros(5000, np.float32)) for face in range(4)]
    token = seal(sent, OWNER, KEY, NOW_MS)
    got = unseal(token, OWNER, [KEY], NOW_MS, 60)
    assert len(token) < 1024
    assert not isinstance(got, Refusal)
    assert (got.track_ids, got.filters, got.heads) == (sent.track_ids, [], [])


def test_the_age_is_bounded_both_ways() -> None:
    token = seal(state_of(1).hand_over(1), OWNER, KEY, NOW_MS)
    found = {
        age_s: unseal(token, OWNER, [KEY], NOW_MS + int(age_s * 1000), 60) for age_s in (-10.1, -9.9, 0.0, 59.9, 60.1)
    }
    assert [age_s for age_s, outcome in found.items() if outcome is Refusal.EXPIRED] == [-10.1, 60.1]


def test_owners_differ_by_name_identity_and_whether_somebody_vouches() -> None:
    owners = {
        owner_digest(stream_id, client, authenticated=known)
        for stream_id in ("a", "b")
        for client, known in (("carla", True), ("dora", True), ("None", True), ("10.0.0.1", False))
    }
    assert len(owners) == 8
    assert owner_digest("a", "10.0.0.1", authenticated=False) == owner_digest("a", "10.0.0.2", authenticated=False)


def test_two_keys_of_one_name_are_both_tried() -> None:
    """Four bytes of a name may be those of another key."""
    twin = Key(bytes(32), KEY.name)
    token = seal(state_of(1).hand_over(1), OWNER, KEY, NOW_MS)
    assert unseal(token, OWNER, [twin], NOW_MS, 60) is Refusal.FORGED
    assert not isinstance(unseal(token, OWNER, [twin, KEY], NOW_MS, 60), Refusal)


@pytest.mark.parametrize("seed", range(40))
def test_a_mutated_token_is_refused_or_a_state_to_go_on_from(seed: int) -> None:
    """Mutated before it is sealed too: a server of another version may have the key."""
    rng, tokens = random.Random(seed), resume.seeds()
    token = rng.choice(tokens)
    assert resume.one_token(token) == "accepted"
    assert (changed := mutated(rng, token, tokens)) in tokens or resume.one_token(changed) != "accepted"
    resume.one_token(resume.resealed(mutated(rng, token[:-32], tokens)))
