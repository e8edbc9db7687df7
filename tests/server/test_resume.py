"""Who may resume a stream: those who opened it, and nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from ferserve.v1 import emotion_pb2 as pb
from ferserve.v1 import emotion_pb2_grpc
from tests.serving.fixtures import StartServer
from tests.serving.streams import RawStream


async def _open_and_break(stub: Any, frame_id: int, **config: Any) -> pb.StreamStarted:
    """Open a stream, let a frame be answered, and hang up."""
    stream = RawStream(stub)
    started = await stream.open(**config)
    await stream.send(frame_id)
    await stream.receive()
    await stream.finish()
    return started


@pytest.mark.parametrize("token", [b"", b"guess", bytes(16)])
async def test_strangers_resume_nothing(stub: Any, token: bytes) -> None:
    first = await _open_and_break(stub, 41, stream_id="gate")
    stranger = await _open_and_break(stub, 1, stream_id="gate", resume_token=token)
    assert (stranger.resumed, stranger.last_frame_id) == (False, 0)
    assert stranger.resume_token not in (b"", token, first.resume_token)
    assert not stranger.effective.resume_token
    again = await _open_and_break(stub, 42, stream_id="gate", resume_token=first.resume_token)
    assert (again.resumed, again.last_frame_id, again.resume_token) == (True, 41, first.resume_token)


async def test_a_stranger_does_not_end_an_open_stream_of_the_same_name(stub: Any) -> None:
    first = RawStream(stub)
    started = await first.open(stream_id="gate")
    await _open_and_break(stub, 1, stream_id="gate")
    await first.send(1)
    assert (await first.receive()).WhichOneof("outcome") == "faces"
    second = await _open_and_break(stub, 2, stream_id="gate", resume_token=started.resume_token)
    assert (second.resumed, second.last_frame_id) == (True, 1)
    first.call.cancel()


async def test_a_stream_without_a_name_has_no_token(stub: Any) -> None:
    assert (await _open_and_break(stub, 1)).resume_token == b""


async def test_a_certificate_resumes_its_own_streams_without_a_token(start_server: StartServer, tmp_path: Path) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    files = {"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem", "tls_client_ca": tmp_path / "ca.pem"}
    leaf.cert_chain_pems[0].write_to_path(str(files["tls_cert"]))
    leaf.private_key_pem.write_to_path(str(files["tls_key"]))
    authority.cert_pem.write_to_path(str(files["tls_client_ca"]))
    address = await start_server(**{name: str(path) for name, path in files.items()})

    def channel(name: str) -> grpc.aio.Channel:
        own = authority.issue_cert(name)
        return grpc.aio.secure_channel(
            address,
            grpc.ssl_channel_credentials(
                authority.cert_pem.bytes(), own.private_key_pem.bytes(), own.cert_chain_pems[0].bytes()
            ),
            options=[("grpc.use_local_subchannel_pool", 1)],
        )

    async with channel("carla.example") as carla, channel("carla.example") as again, channel("dora.example") as dora:
        started, hers, others = [
            await _open_and_break(emotion_pb2_grpc.EmotionServiceStub(of), 7, stream_id="gate")  # type: ignore[no-untyped-call]
            for of in (carla, again, dora)
        ]
    assert (started.resumed, started.resume_token) == (False, b"")
    assert (hers.resumed, hers.last_frame_id, hers.resume_token) == (True, 7, b"")
    assert (others.resumed, others.last_frame_id) == (False, 0)
