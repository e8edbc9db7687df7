"""Ids of faces that cross, leave and return, and of faces after a cut, with the real detector."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.options import Delivery, StreamOptions
from ferserve.sources.arrays import raw_image
from ferserve.types import Face, Frame, FrameResult
from tests.tiny_models import write_brightness_model

WIDTH, HEIGHT, HEAD, FPS = 640, 360, 120, 30
GREY: NDArray[np.uint8] = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)
Picture = NDArray[np.uint8]
Place = tuple[float, float]
Track = Callable[[int], Place | None]


def _head(*, mirrored: bool) -> NDArray[np.float32]:
    """The astronaut's head, or somebody else: mirrored and in another light."""
    head = cv2.resize(GREY[30:210, 135:315], (HEAD, HEAD), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(head[:, ::-1] * 0.6 + 20 if mirrored else head, np.float32)


ONE, OTHER = _head(mirrored=False), _head(mirrored=True)


def _background(seed: int, width: int = WIDTH) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).normal(0, 1, (HEIGHT, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 9)
    return np.asarray(110 + 15 * smooth / smooth.std(), np.float32)


def _film(
    background: NDArray[np.float32], heads: Sequence[tuple[NDArray[np.float32], Track]], frames: int
) -> list[Picture]:
    """Frames with ``heads``, each where its path says; the last one is in front."""
    oval = np.zeros((HEAD, HEAD), np.float32)
    cv2.ellipse(oval, (HEAD // 2, HEAD // 2), (int(HEAD * 0.42), int(HEAD * 0.49)), 0, 0, 360, 1, -1)
    oval = cv2.GaussianBlur(oval, (0, 0), 3)
    noise = np.random.default_rng(1)
    film = []
    for i in range(frames):
        canvas = background
        for head, path in heads:
            if (place := path(i)) is not None:
                move = np.array([[1, 0, place[0] - HEAD / 2], [0, 1, place[1] - HEAD / 2]], np.float32)
                mask = cv2.warpAffine(oval, move, (WIDTH, HEIGHT))
                canvas = canvas * (1 - mask) + cv2.warpAffine(head, move, (WIDTH, HEIGHT)) * mask
        film.append(np.clip(canvas + noise.normal(0, 3, canvas.shape), 0, 255).astype(np.uint8))
    return film


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    model: Path = write_brightness_model(tmp_path_factory.mktemp("model") / "brightness.onnx")
    with Engine(EngineConfig(model=str(model), threads=1)) as engine:
        yield engine


@pytest.fixture(params=[{}, {"detection_interval": 1, "min_detection_interval": 1}], ids=["usual", "every frame"])
def options(request: pytest.FixtureRequest) -> StreamOptions:
    return StreamOptions(delivery=Delivery.EVERY, **request.param)


def _stream(engine: Engine, film: list[Picture], options: StreamOptions) -> list[FrameResult]:
    with engine.open_stream(options) as stream:
        return [
            stream.submit(Frame(i, raw_image(picture), capture_time_ns=1 + i * 10**9 // FPS)).result(30)
            for i, picture in enumerate(film)
        ]


def _id_at(result: FrameResult, place: Place | None) -> int | None:
    """The id of the face within a third of a head around ``place``."""

    def off(face: Face) -> float:
        x0, y0, x1, y1 = face.box
        return float(np.hypot((x0 + x1) / 2 - place[0], (y0 + y1) / 2 - place[1])) if place else np.inf

    nearest = min(result.faces, key=off, default=None)
    return nearest.track_id if nearest and off(nearest) < HEAD / 3 else None


def _line(start: Place, end: Place, seconds: float, wait: int = 12) -> Callable[[int], Place]:
    def at(frame: int) -> Place:
        done = min(max((frame - wait) / (seconds * FPS), 0), 1)
        return start[0] + (end[0] - start[0]) * done, start[1] + (end[1] - start[1]) * done

    return at


def _standing(place: Place) -> Track:
    return lambda _: place


LEFT, MIDDLE, RIGHT = (80, 180), (320, 180), (560, 180)


@pytest.mark.parametrize("seconds", [0.8, 1.2, 2.0])
@pytest.mark.parametrize(
    ("back", "front"),
    [((MIDDLE, MIDDLE), (LEFT, RIGHT)), ((RIGHT, LEFT), (LEFT, RIGHT)), ((LEFT, RIGHT), (MIDDLE, MIDDLE))],
    ids=["in front of one who stands", "towards each other", "behind one who stands"],
)
def test_two_people_who_cross_keep_their_ids(
    back: tuple[Place, Place], front: tuple[Place, Place], seconds: float, engine: Engine, options: StreamOptions
) -> None:
    paths = _line(*back, seconds), _line(*front, seconds)
    film = _film(_background(0), [(ONE, paths[0]), (OTHER, paths[1])], int(FPS * (seconds + 0.8)))
    results = _stream(engine, film, options)
    before = [_id_at(results[10], path(10)) for path in paths]
    after = [_id_at(results[-1], path(len(film) - 1)) for path in paths]
    assert None not in before
    assert after == before
    assert before[0] != before[1]


@pytest.mark.parametrize("place", [LEFT, MIDDLE, (120, 260)])
@pytest.mark.parametrize("gone_frames", [9, 24])
def test_a_face_that_returns_within_a_second_gets_its_id_back(
    place: Place, gone_frames: int, engine: Engine, options: StreamOptions
) -> None:
    def path(frame: int) -> Place | None:
        return None if 12 <= frame < 12 + gone_frames else place

    results = _stream(engine, _film(_background(0), [(ONE, path)], 24 + gone_frames), options)
    assert not results[18].faces or gone_frames < 20
    assert _id_at(results[-1], place) == _id_at(results[10], place) == 1


OVER_THE_EDGE = {
    "left": ((120, 180), (-90, 180)),
    "right": ((520, 180), (730, 180)),
    "top": ((320, 170), (320, -90)),
    "bottom": ((320, 200), (320, 450)),
}


def _out_and_in(edge: str, frames: int, pause: int) -> tuple[Track, Track]:
    """The way out over an edge in ``frames``, and after a pause the way in again."""
    inside, outside = OVER_THE_EDGE[edge]
    leaves = _line(inside, outside, frames / FPS)
    turn = 12 + frames + pause
    enters = _line(outside, inside, frames / FPS, wait=turn)
    return (lambda i: leaves(i) if i < turn else None), (lambda i: enters(i) if i >= turn else None)


@pytest.mark.parametrize("edge", OVER_THE_EDGE)
def test_a_face_that_leaves_over_an_edge_and_returns_within_a_second_gets_its_id_back(
    edge: str, engine: Engine, options: StreamOptions
) -> None:
    leaves, enters = _out_and_in(edge, 12, 4)
    film = _film(_background(0), [(ONE, leaves), (ONE, enters)], 48)
    results = _stream(engine, film, options)
    assert not results[26].faces
    assert _id_at(results[10], leaves(10)) == _id_at(results[-1], enters(47)) == 1


@pytest.mark.parametrize("edge", ["left", "top"])
def test_another_person_who_comes_in_over_the_same_edge_is_new(
    edge: str, engine: Engine, options: StreamOptions
) -> None:
    leaves, enters = _out_and_in(edge, 12, 4)
    film = _film(_background(0), [(ONE, leaves), (OTHER, enters)], 48)
    results = _stream(engine, film, options)
    assert (_id_at(results[10], leaves(10)), _id_at(results[-1], enters(47))) == (1, 2)


@pytest.mark.parametrize("px_per_second", [300, 600, 900])
def test_two_people_keep_their_ids_while_the_camera_turns(
    px_per_second: int, engine: Engine, options: StreamOptions
) -> None:
    wide = _background(0, width=1600)
    paths = (
        _line((590, 180), (590 - 0.36 * px_per_second, 180), 0.36),
        _line((420, 180), (420 - 0.36 * px_per_second, 180), 0.36),
    )
    film = []
    for i in range(36):
        here = [path(i) for path in paths]
        moved = 400 + 590 - round(here[0][0])
        film += _film(wide[:, moved : moved + WIDTH], [(ONE, _standing(here[0])), (OTHER, _standing(here[1]))], 1)
    results = _stream(engine, film, options)
    assert [_id_at(results[10], path(10)) for path in paths] == [_id_at(results[-1], path(35)) for path in paths]
    assert len({_id_at(results[-1], path(35)) for path in paths} - {None}) == 2


def test_a_face_that_returns_after_more_than_a_second_is_new(engine: Engine, options: StreamOptions) -> None:
    def path(frame: int) -> Place | None:
        return None if 12 <= frame < 54 else MIDDLE

    results = _stream(engine, _film(_background(0), [(ONE, path)], 66), options)
    assert (_id_at(results[10], MIDDLE), _id_at(results[-1], MIDDLE)) == (1, 2)


@pytest.mark.parametrize("cut_at", [9, 10, 11, 12])
def test_another_person_after_a_cut_is_new_from_the_first_frame_on(
    cut_at: int, engine: Engine, options: StreamOptions
) -> None:
    first = _film(_background(0), [(ONE, lambda _: MIDDLE)], cut_at)
    second = _film(_background(5), [(OTHER, lambda _: MIDDLE)], 12)
    results = _stream(engine, first + second, options)
    assert {_id_at(result, MIDDLE) for result in results[:cut_at]} == {1}
    assert {_id_at(result, MIDDLE) for result in results[cut_at:]} == {2}


@pytest.mark.parametrize("place", [LEFT, (500, 120)])
def test_a_person_who_is_there_again_after_a_cut_away_and_back_gets_the_id_back(
    place: Place, engine: Engine, options: StreamOptions
) -> None:
    first = _film(_background(0), [(ONE, lambda _: LEFT)], 12)
    second = _film(_background(5), [(OTHER, lambda _: MIDDLE)], 12)
    again = _film(_background(9), [(ONE, lambda _: place)], 12)
    results = _stream(engine, first + second + again, options)
    assert [_id_at(results[i], p) for i, p in ((6, LEFT), (18, MIDDLE), (-1, place))] == [1, 2, 1]
