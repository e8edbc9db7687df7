"""Clients in C++ and JavaScript against real servers: answers, errors, deadlines, Ctrl-C, TLS and tokens, retries."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest

import ferserve
from ferserve.v1 import emotion_pb2_grpc
from tests import builders
from tests.other_languages.conftest import ExampleClient
from tests.serving.away import Away
from tests.serving.certificates import issue
from tests.serving.fixtures import StartServer
from tests.serving.scripted import scripted_server
from tests.serving.tokens import TokenFile


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face that moves through seven pictures, with one that is no picture and one that cannot be read."""
    folder = tmp_path_factory.mktemp("pictures")
    for index, picture in enumerate(builders.jpeg_clip(9)):
        (folder / f"{index}.jpg").write_bytes(picture)
    (folder / "5.jpg").write_bytes(b"no picture")
    (folder / "6.jpg").unlink()
    (folder / "6.jpg").mkdir()
    (folder / "notes.txt").write_text("left alone")
    return folder


def line(name: str, face: ferserve.Face) -> str:
    """A face as the clients print it."""
    box = ",".join(str(int(side + 0.5)) for side in face.box)
    emotion = face.emotion if face.sure else f"{face.emotion} (not sure)"
    return f"{name}\tface {face.track_id}\t{emotion}\t{face.confidence:.2f}\t{box}"


async def test_a_folder_gets_the_answers_that_our_own_client_gets(
    example: ExampleClient, start_server: StartServer, folder: Path
) -> None:
    address = await start_server()
    names = [f"{index}.jpg" for index in range(9) if index != 6]
    frames = [((int(name[0]) + 1) / 25, (folder / name).read_bytes()) for name in names]
    options = ferserve.StreamOptions(delivery=ferserve.Delivery.EVERY)
    async with ferserve.AsyncClient(address) as client:
        results = [result async for result in client.stream(frames, options)]
    done = await example.run("stream", folder, "--target", address)
    assert done.out == [line(names[r.frame_id - 1], face) for r in results for face in r.faces]
    assert len(done.out) == 7
    assert {printed.split("\t")[1] for printed in done.out} == {"face 1"}
    folder_line, fault = sorted(done.err.splitlines(), key=lambda text: "invalid_frame" in text)
    assert "6.jpg: " in folder_line
    assert fault.startswith("5.jpg: ")
    assert fault.endswith(" (invalid_frame)")
    assert done.code == 1


async def test_pictures_are_classified_one_by_one(
    example: ExampleClient, start_server: StartServer, folder: Path
) -> None:
    address = await start_server()
    pictures = (folder / "5.jpg", folder / "missing.jpg", folder / "0.jpg")
    done = await example.run("classify", *pictures, "--target", address)
    async with ferserve.AsyncClient(address) as client:
        result = await client.classify((folder / "0.jpg").read_bytes())
    assert done.out == [line(str(folder / "0.jpg"), face) for face in result.faces]
    broken, missing = done.err.splitlines()
    assert broken.endswith("(INVALID_ARGUMENT, invalid_frame)")
    assert "missing.jpg" in missing
    assert done.code == 1
    assert (await example.run("--target", address, "classify", "--", folder / "0.jpg")).code == 0


@pytest.mark.parametrize(("command", "code"), [("classify", 1), ("stream", 2)])
async def test_an_error_has_the_servers_words_its_status_and_its_kind(
    example: ExampleClient, start_server: StartServer, folder: Path, command: str, code: int
) -> None:
    what = folder if command == "stream" else folder / "0.jpg"
    done = await example.run(command, what, "--target", await start_server(), "--model", "nobody")
    assert "(NOT_FOUND, model_not_found)" in done.err
    assert "nobody" in done.err
    assert (done.code, done.out) == (code, [])


async def test_a_server_with_tls_and_tokens(
    example: ExampleClient, start_server: StartServer, folder: Path, tmp_path: Path
) -> None:
    files, tokens = issue(tmp_path, "ours"), TokenFile(tmp_path / "tokens.json")
    token = tokens.add("camera")
    address = await start_server(**files.server, token_file=tokens.path)
    target = address.replace("127.0.0.1", "localhost")
    picture = ("classify", folder / "0.jpg", "--tls-ca", files.ca, "--target", target)
    done = await example.run(*picture, "--token", token)
    assert (done.code, len(done.out), done.err) == (0, 1, "")
    refused = await example.run(*picture, "--token", token[:-1] + "x")
    assert "(UNAUTHENTICATED, unauthenticated)" in refused.err
    assert refused.code == 1


async def test_a_token_goes_nowhere_in_plain_text(example: ExampleClient, folder: Path) -> None:
    done = await example.run("classify", folder / "0.jpg", "--token", "secret", "--target", "192.0.2.1:50051")
    assert done.err == ("token must go by TLS or to this machine, got 192.0.2.1:50051 in plain text; set --tls-ca\n")
    assert done.code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("stream", "{empty}"), "must hold pictures, got none"),
        (("stream", "{empty}/missing"), "missing"),
        (("classify", "x.jpg", "--fps", "fast"), "fps must be a number from 0 on, got fast"),
        (("classify", "x.jpg", "--tls-ca", "{empty}/ca.pem"), "tls-ca must be a file that can be read"),
        (("classify", "x.jpg", "--colour", "red"), "--colour"),
        (("dance", "x.jpg"), "usage: "),
        (("stream", "{empty}", "{empty}"), "usage: "),
    ],
)
async def test_wrong_usage_is_one_sentence_and_exit_code_2(
    example: ExampleClient, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = await example.run(*(argument.format(empty=tmp_path) for argument in arguments))
    assert message in done.err
    assert (done.code, done.out, len(done.err.splitlines())) == (2, [], 1)


async def test_a_call_is_tried_again_until_the_server_is_back(example: ExampleClient, tmp_path: Path) -> None:
    """With five megabytes, which gRPC keeps for another try only if told so."""
    picture = tmp_path / "large.jpg"
    picture.write_bytes(bytes(5_000_000))
    async with scripted_server(servicer := Away(), max_message_bytes=-1) as address:
        done = await example.run("classify", picture, "--target", address)
    assert (done.code, done.out, servicer.calls) == (0, [f"{picture}\tno face"], 3)


@pytest.mark.parametrize("status", ["RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "INTERNAL"])
async def test_other_errors_are_told_at_once(example: ExampleClient, folder: Path, status: str) -> None:
    async with scripted_server(servicer := Away(grpc.StatusCode[status])) as address:
        done = await example.run("classify", folder / "0.jpg", "--target", address)
    assert (done.code, servicer.calls) == (1, 1)
    assert f"not now ({status})" in done.err


async def test_a_stream_is_not_tried_again_by_grpc(example: ExampleClient, folder: Path) -> None:
    async with scripted_server(servicer := Away()) as address:
        done = await example.run("stream", folder, "--target", address)
    assert (done.code, servicer.calls) == (2, 1)
    assert "not now (UNAVAILABLE); 0 of 9 pictures were answered" in done.err


class _Silent(emotion_pb2_grpc.EmotionServiceServicer):
    """Takes a stream or a call and says nothing."""

    def __init__(self) -> None:
        self.called, self.cancelled = asyncio.Event(), asyncio.Event()

    async def ClassifyStream(self, requests: object, context: object) -> None:
        self.called.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()

    Classify = ClassifyStream


@pytest.mark.parametrize("command", ["classify", "stream"])
async def test_ctrl_c_cancels_the_call_and_a_deadline_ends_it(
    example: ExampleClient, folder: Path, command: str
) -> None:
    what = folder if command == "stream" else folder / "0.jpg"
    async with scripted_server(servicer := _Silent()) as address:
        process = await example.start(command, what, "--target", address)
        await servicer.called.wait()
        assert (await example.interrupt(process)).code == 130
        await servicer.cancelled.wait()
        late = await example.run(command, what, "--target", address, "--deadline-s", "0.2")
    assert "(DEADLINE_EXCEEDED)" in late.err
    assert late.code == (2 if command == "stream" else 1)
