"""The memory of a stream: following, detection passes, smoothing, and the choice of faces."""

from __future__ import annotations

import dataclasses
import hmac
import itertools
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from ferserve.models.spec import InputSpec
from ferserve.pipeline import square_crops
from ferserve.tracking.smoothing import Smoother
from ferserve.tracking.state import StateSettings, StreamState
from ferserve.tracking.tracker import Tracker
from ferserve.types import Detections, HeadResult
from ferserve.wire.resume_token import Key, owner_digest, seal, unseal
from tests import builders
from tests.benchmarks.subjects.messages import result_of
from tests.benchmarks.subjects.subject import Room, Subject, Work
from tests.same_answers.pictures import tiled

FRAME_NS = 33_333_333
FACE = (280.0, 180.0, 364.0, 268.0)
"""Of the astronaut in :func:`builders.scene`, px."""
LABELS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")


def there_and_back(frames: list[np.ndarray]) -> Iterator[tuple[np.ndarray, int]]:
    """Frames of a camera and their times, for ever and without a jump."""
    order = [*frames, *frames[-2:0:-1]]
    for i in itertools.count():
        yield order[i % len(order)], i * FRAME_NS


def clip(faces: int) -> tuple[list[np.ndarray], Detections]:
    """Eight luma frames of 640x480 that move a little, and the faces of the first."""
    if faces == 1:
        pictures = [builders.scene(i / 30) for i in range(8)]
        boxes = [FACE]
    else:
        whole = tiled(2, 2, 680, 520)
        pictures = [np.ascontiguousarray(whole[i : i + 480, 2 * i : 2 * i + 640]) for i in range(8)]
        boxes = [(x + 140.0, y + 90.0, x + 200.0, y + 152.0) for y in (0, 260) for x in (0, 340)]
    score = np.full(faces, 0.9, np.float32)
    return [cv2.cvtColor(p, cv2.COLOR_BGR2GRAY) for p in pictures], Detections(np.array(boxes, np.float32), score)


def started(faces: int) -> tuple[Tracker, Detections, Callable[[], tuple[np.ndarray, int]]]:
    """A tracker after its first detection pass, that pass, and what gives the next frame."""
    cv2.setNumThreads(1)
    frames, found = clip(faces)
    camera = there_and_back(frames)
    tracker = Tracker(square_crops)
    tracker.set_frame_size(640, 480)
    luma, now_ns = next(camera)
    assert len(tracker.update(found, now_ns, luma).track_ids) == faces
    return tracker, found, lambda: next(camera)


def follow(faces: int) -> Work:
    """The yardstick is the search alone, one call of OpenCV per face."""
    tracker, _, next_frame = started(faces)
    regions = [np.random.default_rng(i).integers(0, 256, (48, 48), np.uint8) for i in range(faces)]
    templates = [region[12:36, 12:36].copy() for region in regions]

    def opencv() -> None:
        for region, template in zip(regions, templates, strict=True):
            cv2.matchTemplate(region, template, cv2.TM_CCOEFF_NORMED)

    def ours() -> object:
        return tracker.follow(*next_frame())

    followed = [tracker.follow(*next_frame()) for _ in range(14)]
    assert [len(f.track_ids) for f in followed] == [faces] * 14
    return Work(ours, opencv)


def detection_pass(faces: int) -> Work:
    tracker, found, next_frame = started(faces)

    def ours() -> object:
        luma, now_ns = next_frame()
        return tracker.update(found, now_ns, luma)

    assert len(ours().track_ids) == faces  # type: ignore[attr-defined]
    return Work(ours)


def smoothing(_: Room) -> Work:
    smoother, times = Smoother(200.0), itertools.count(0, FRAME_NS)
    rows = np.random.default_rng(0).dirichlet(np.ones(8), 16).astype(np.float32)
    heads = itertools.cycle([HeadResult.of("emotion", LABELS, row, frozenset()) for row in rows])
    ours = lambda: smoother.smooth(1, next(heads), next(times))  # noqa: E731
    assert np.isclose(ours().probabilities.sum(), 1, atol=1e-5)
    return Work(ours)


def selection(_: Room) -> Work:
    """Sixteen boxes of a client checked, and the eight largest of them taken."""
    from ferserve.vision.picture import Picture
    from ferserve.vision.selection import client_boxes, rows_to_classify

    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 300, (16, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(20, 200, (16, 2))], axis=1).astype(np.float32)
    picture, spec = Picture(np.zeros((480, 640), np.uint8)), InputSpec(48, 48)
    ours = lambda: rows_to_classify(client_boxes(boxes, picture, 16, 1 << 24), spec, 8)  # noqa: E731
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    assert set(ours()) == set(np.argsort(-areas)[:8])  # type: ignore[call-overload]
    return Work(ours)


def state_of(faces: int, neutral_first_ms: float = 0.0) -> StreamState:
    """A stream's state after six frames with so many faces, each with the heads of the bundled models."""
    settings = StateSettings(("emotion-lite",), 200.0, neutral_first_ms, 2, 4, strict_minimum=False)
    state, luma = StreamState(settings, square_crops), np.random.default_rng(0).integers(0, 256, (480, 640), np.uint8)
    emotion, *others = result_of(1).faces[0].heads
    heads = (dataclasses.replace(emotion, labels=LABELS), *others)
    boxes = np.array([(10 + 75 * (i % 8), 10 + 75 * (i // 8)) for i in range(faces)], np.float32).reshape(-1, 2)
    found = Detections(np.concatenate([boxes, boxes + 60], axis=1), np.full(faces, 0.9, np.float32))
    state.tracker.set_frame_size(640, 480)
    for i in range(1, 7):
        now_ns = state.advance(i * FRAME_NS, i * FRAME_NS)
        tracked = state.tracker.update(found, now_ns, luma)
        state.refine([heads] * faces, tracked.track_ids, now_ns, neutral=False)
    return state


def sealing(_: Room) -> Work:
    """The resume token of four faces; an HMAC of as many bytes is the yardstick."""
    state, key = state_of(4), Key.of(bytes(range(32)))
    owner = owner_digest("camera", "", authenticated=False)
    ours = lambda: seal(state.hand_over(7), owner, key, 1)  # noqa: E731
    token = ours()
    assert len(unseal(token, owner, [key], 1, 1).track_ids) == 4  # type: ignore[union-attr]
    return Work(ours, lambda: hmac.digest(key.secret, token, "sha256"))


SUBJECTS = [
    Subject("tracking", "follow one face", lambda _: follow(1), "OpenCV's search alone", counted="Python"),
    Subject("tracking", "follow four faces", lambda _: follow(4), "OpenCV's search alone", counted="Python"),
    Subject("tracking", "detection pass, one face", lambda _: detection_pass(1), counted="Python"),
    Subject("tracking", "detection pass, four faces", lambda _: detection_pass(4), counted="Python"),
    Subject("tracking", "smooth one head", smoothing, counted="Python"),
    Subject("tracking", "seal four faces", sealing, "HMAC-SHA256 alone", counted="Python"),
    Subject("tracking", "check and choose boxes", selection, counted="Python"),
]
