"""Resume tokens: a stream goes on on another server, and what makes a token count for nothing."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferserve.config import EngineConfig
from ferserve.engine import Engine
from ferserve.v1 import emotion_pb2 as pb
from ferserve.wire.resume_token import MAX_BYTES
from tests import builders
from tests.counting import Counting
from tests.serving.fixtures import StartServer
from tests.serving.streams import RawStream, stub_of
from tests.serving.tokens import TokenFile

SPLIT, FRAMES = 20, 40
CLIP = [builders.jpeg(frame) for frame, _ in zip(builders.moving_faces(2 * FRAMES / 30), range(FRAMES), strict=False)]
STREAM: dict[str, Any] = {"stream_id": "door", "delivery": pb.DELIVERY_EVERY, "neutral_first_ms": 300}


@pytest.fixture(scope="module")
def elsewhere(engine_config: EngineConfig) -> Iterator[Engine]:
    """The engine of another server."""
    with Engine(engine_config, Counting()) as engine:
        yield engine


@pytest.fixture
def keys(tmp_path: Path) -> str:
    return _key_file(tmp_path / "keys")


def _key_file(path: Path, *keys: str) -> str:
    path.write_text("\n".join(["# shared by all servers", *(keys or (secrets.token_hex(32),))]))
    path.chmod(0o600)
    return str(path)


async def _play(address: str, first: int, end: int, *metadata: Any, **config: Any) -> tuple[Any, list[pb.FrameResult]]:
    """Frames of the clip as one connection: how it started, and the results."""
    async with stub_of(address) as stub:
        stream = RawStream(stub, *metadata)
        started = await stream.open(**STREAM | config)
        frames = {i + 1: {"encoded": CLIP[i], "capture_time_ns": (i + 1) * 33_333_333} for i in range(first, end)}
        results = await stream.exchange(frames)
        await stream.finish()
        return started, results


def _faces(results: list[pb.FrameResult]) -> list[dict[int, str]]:
    return [{face.track_id: face.heads[0].label for face in result.faces.faces} for result in results]


async def test_a_stream_goes_on_elsewhere_as_if_nothing_had_been(
    start_server: StartServer, elsewhere: Engine, keys: str
) -> None:
    one, other = await start_server(resume_key_file=keys), await start_server(elsewhere, resume_key_file=keys)
    _, undisturbed = await _play(one, 0, FRAMES, stream_id="undisturbed")
    _, before = await _play(one, 0, SPLIT)
    state = before[-1].resume_state
    started, after = await _play(other, SPLIT, FRAMES, resume_state=state)
    assert (started.resumed, started.last_frame_id) == (True, SPLIT)
    expected, got = _faces(undisturbed), _faces(before + after)
    assert [sorted(faces) for faces in got] == [sorted(faces) for faces in expected]
    pairs = [(face, got[i].get(track)) for i, faces in enumerate(expected) for track, face in faces.items()]
    assert len(pairs) >= FRAMES
    assert sum(a == b for a, b in pairs) >= 0.97 * len(pairs)
    for mine, theirs in zip(after, undisturbed[SPLIT:], strict=True):
        for a, b in zip(mine.faces.faces, theirs.faces.faces, strict=True):
            np.testing.assert_allclose(a.heads[0].probabilities, b.heads[0].probabilities, atol=0.05)


def _changed(state: bytes, at: int) -> bytes:
    return state[:at] + bytes([state[at] ^ 1]) + state[at + 1 :]


@pytest.mark.parametrize(
    ("outcome", "change"),
    [
        ("accepted", lambda state: state),
        ("forged", lambda state: _changed(state, len(state) // 2)),
        ("forged", lambda state: _changed(state, len(state) - 1)),
        ("forged", lambda state: state[:-1]),
        ("forged", lambda state: state + bytes(1)),
        ("malformed", lambda state: state[:40]),
        ("malformed", lambda state: b"\x07" + state[1:]),
        ("too_large", lambda state: state + bytes(MAX_BYTES)),
        ("unknown_key", lambda state: _changed(state, 1)),
    ],
)
async def test_a_token_that_somebody_changed_counts_for_nothing(
    start_server: StartServer, elsewhere: Engine, keys: str, outcome: str, change: Any
) -> None:
    one, other = await start_server(resume_key_file=keys), await start_server(elsewhere, resume_key_file=keys)
    _, before = await _play(one, 0, 2)
    await _expect(other, elsewhere, outcome, resume_state=change(before[-1].resume_state))


async def _expect(address: str, engine: Engine, outcome: str, *metadata: Any, **config: Any) -> None:
    """The stream opens and works in any case, and one metric says what became of the token."""
    assert isinstance(engine.metrics, Counting)
    engine.metrics.tokens.clear()
    started, results = await _play(address, 2, 4, *metadata, **config)
    assert engine.metrics.tokens == [outcome]
    assert started.resumed == (outcome == "accepted")
    assert [list(faces) for faces in _faces(results)] == [[1], [1]]


async def test_a_token_of_another_stream_or_another_client_counts_for_nothing(
    start_server: StartServer, elsewhere: Engine, keys: str, tmp_path: Path
) -> None:
    tokens = TokenFile(tmp_path / "tokens.json")
    mine, hers = (("authorization", f"Bearer {tokens.add(name)}") for name in ("carla", "dora"))
    settings = {"resume_key_file": keys, "token_file": tokens.path}
    one, other = await start_server(**settings), await start_server(elsewhere, **settings)
    _, before = await _play(one, 0, 2, mine)
    state = before[-1].resume_state
    await _expect(other, elsewhere, "foreign", hers, resume_state=state)
    await _expect(other, elsewhere, "foreign", mine, resume_state=state, stream_id="gate")
    await _expect(other, elsewhere, "accepted", mine, resume_state=state)


async def test_an_old_token_counts_for_nothing(start_server: StartServer, elsewhere: Engine, keys: str) -> None:
    one = await start_server(resume_key_file=keys)
    other = await start_server(elsewhere, resume_key_file=keys, resume_max_age_s=0.01)
    _, before = await _play(one, 0, 2)
    await asyncio.sleep(0.02)
    await _expect(other, elsewhere, "expired", resume_state=before[-1].resume_state)


async def test_keys_change_while_servers_run(start_server: StartServer, elsewhere: Engine, tmp_path: Path) -> None:
    """The new key is added everywhere, then put first, then the old one is taken out."""
    old, new = secrets.token_hex(32), secrets.token_hex(48)
    theirs = _key_file(tmp_path / "theirs", old)
    one = await start_server(resume_key_file=_key_file(tmp_path / "ours", new, old))
    other = await start_server(elsewhere, resume_key_file=theirs)
    _, before = await _play(one, 0, 2)
    state = before[-1].resume_state
    await _expect(other, elsewhere, "unknown_key", resume_state=state)
    _key_file(Path(theirs), old, new)
    await asyncio.sleep(1.1)  # it looks once a second
    await _expect(other, elsewhere, "accepted", resume_state=state)


async def test_ids_given_after_the_token_was_made_are_not_given_again(
    start_server: StartServer, elsewhere: Engine, keys: str
) -> None:
    """Even if the client went back to an older token, and does not say which ids it saw."""
    one, other = await start_server(resume_key_file=keys), await start_server(elsewhere, resume_key_file=keys)
    boxes = [pb.Boxes(boxes=[pb.Box(x0=100 * i, x1=100 * i + 60, y1=60)]) for i in range(5)]
    picture = {"raw": pb.RawImage(format=pb.PIXEL_FORMAT_GRAY8, width=640, height=64, data=bytes(640 * 64))}

    async def ids(address: str, order: list[int], **config: Any) -> tuple[list[int], bytes]:
        async with stub_of(address) as stub:
            stream = RawStream(stub)
            await stream.open(**STREAM | config)
            results = await stream.exchange({i: picture | {"boxes": boxes[place]} for i, place in enumerate(order, 1)})
            await stream.finish()
            return [result.faces.faces[0].track_id for result in results], results[0].resume_state

    given, oldest = await ids(one, [0, 1, 2, 3])
    assert given == [1, 2, 3, 4]
    more, _ = await ids(other, [0, 3, 4, 1], resume_state=oldest)
    assert more[0] == 1
    assert not set(more[1:]) & set(given)
    await asyncio.sleep(0.1)
    again, _ = await ids(other, [0, 4, 2], resume_state=oldest)
    assert not set(again[1:]) & {*given, *more}


async def test_what_the_server_itself_knows_counts_more_than_an_older_token(
    start_server: StartServer, elsewhere: Engine, keys: str
) -> None:
    address = await start_server(elsewhere, resume_key_file=keys)
    first, before = await _play(address, 0, 6)
    state = before[2].resume_state
    started, _ = await _play(address, 6, 8, resume_state=state, resume_token=first.resume_token)
    assert (started.resumed, started.last_frame_id, started.resume_token) == (True, 6, first.resume_token)


@pytest.mark.parametrize("every", [1, 3])
async def test_every_nth_answer_has_a_token(start_server: StartServer, keys: str, every: int) -> None:
    address = await start_server(resume_key_file=keys, resume_every=every)
    _, results = await _play(address, 0, 7)
    assert [bool(result.resume_state) for result in results] == [i % every == 0 for i in range(7)]


async def test_without_keys_or_a_name_there_are_no_tokens(
    start_server: StartServer, elsewhere: Engine, keys: str
) -> None:
    plain, with_keys = await start_server(elsewhere), await start_server(resume_key_file=keys)
    _, named = await _play(with_keys, 0, 1)
    _, unnamed = await _play(with_keys, 0, 1, stream_id="")
    started, off = await _play(plain, 1, 2, resume_state=named[0].resume_state)
    assert named[0].resume_state
    assert (started.resumed, unnamed[0].resume_state, off[0].resume_state) == (False, b"", b"")


async def test_an_answer_is_worth_more_than_its_token(
    start_server: StartServer, keys: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> bytes:
        raise RuntimeError("no token today")

    monkeypatch.setattr("ferserve.server.emotion.resume_tokens.seal", fail)
    address = await start_server(resume_key_file=keys)
    _, results = await _play(address, 0, 2)
    assert [(result.WhichOneof("outcome"), result.resume_state) for result in results] == [("faces", b"")] * 2
    assert "cannot seal what a stream knows" in caplog.messages
