"""Tokens and roles on real servers: who is let in, what they may, and how a token ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferserve import AsyncClient, Tls, errors
from ferserve.config import ServerConfig
from ferserve.server.callers import identity_of
from ferserve.server.calls import ActiveCalls
from ferserve.server.grpc_server import GrpcServer
from ferserve.server.health import Health
from ferserve.wire.tls import channel_credentials
from tests import builders
from tests.fire.rude import CLASSIFY_STREAM, RudeConnection, config, jpeg_frame, message
from tests.serving.certificates import Files, issue
from tests.serving.fixtures import StartServer
from tests.serving.tokens import TokenFile


@pytest.fixture
def token_file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens.json")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return issue(tmp_path_factory.mktemp("ours"), "ours")


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.02)


class WhoAmI:
    """Answers with the caller's identity; ``Change`` is for administrators."""

    name = "test.WhoAmI"
    admin_methods = frozenset({"/test.WhoAmI/Change"})

    def __init__(self) -> None:
        self._calls = ActiveCalls()

    def register(self, server: grpc.aio.Server) -> None:
        make = grpc.unary_unary_rpc_method_handler
        handlers = {method: make(self._tell, bytes, bytes) for method in ("Tell", "Change")}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(self.name, handlers),))

    async def drain(self, grace_s: float) -> None:
        await self._calls.drain(grace_s)

    async def _tell(self, request: bytes, context: Any) -> bytes:
        identity = identity_of(context)
        return f"{identity.name}, {identity.role}".encode()


class Asked:
    """A server with :class:`WhoAmI` alone."""

    def __init__(self, **settings: Any) -> None:
        config = ServerConfig(port=0, max_message_bytes=1 << 20, **settings)
        self._server = GrpcServer([WhoAmI()], config, Health([WhoAmI.name]))
        self.address = ""

    async def __aenter__(self) -> Asked:
        self.address = await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(0)

    async def answer(self, method: str = "Tell", authorization: str | None = None) -> str:
        """The answer, or the status and the message that refused the call."""
        metadata = () if authorization is None else (("authorization", authorization),)
        async with grpc.aio.insecure_channel(self.address) as channel:
            call = channel.unary_unary(f"/{WhoAmI.name}/{method}")
            try:
                return bytes(await call(b"", metadata=metadata)).decode()
            except grpc.aio.AioRpcError as error:
                return f"{error.code().name}: {error.details().partition(' (request ')[0]}"


async def test_a_token_opens_every_door_but_those_of_administrators(token_file: TokenFile) -> None:
    camera, chief = token_file.add("camera-7"), token_file.add("chief", "admin")
    async with Asked(token_file=token_file.path, admin=True) as server:
        assert await server.answer("Tell", f"Bearer {camera}") == "token camera-7, use"
        assert await server.answer("Change", f"bearer {chief}") == "token chief, admin"
        assert await server.answer("Change", f"Bearer {camera}") == (
            "PERMISSION_DENIED: role must be admin for /test.WhoAmI/Change, got use; use another token"
        )
        swapped = chief[:21] + camera[21:]  # the id of one token, the secret of another
        for wrong in ("", "Bearer", f"Basic {camera}", camera, f"Bearer {camera}x", f"Bearer {camera[:-1]}", "x" * 99):
            answer = await server.answer("Tell", wrong)
            assert answer.startswith("UNAUTHENTICATED: authorization must be a token of this server, got another")
        assert (await server.answer("Tell", f"Bearer {swapped}")).startswith("UNAUTHENTICATED")
        missing = await server.answer()
        assert missing.startswith("UNAUTHENTICATED: authorization must be a token of this server, got none")


async def test_calls_of_administrators_are_off_by_default(token_file: TokenFile) -> None:
    chief = token_file.add("chief", "admin")
    off = "PERMISSION_DENIED: server.admin must be true for /test.WhoAmI/Change, got false; ask the server's operator"
    async with Asked(token_file=token_file.path) as server, Asked() as open_server, Asked(admin=True) as ours:
        assert await server.answer("Change", f"Bearer {chief}") == await open_server.answer("Change") == off
        assert await open_server.answer("Tell", "Bearer of other news") == "127.0.0.1, admin"
        assert await ours.answer("Change") == "127.0.0.1, admin"  # nobody else reaches this machine's loopback


async def test_clients_send_their_token_with_calls_and_streams(
    start_server: StartServer, token_file: TokenFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = builders.jpeg(builders.astronaut())
    token = token_file.add("camera")
    address = await start_server(token_file=token_file.path)
    async with AsyncClient(address, token=token) as client:
        assert (await client.classify(frame)).ok
        assert [result.frame_id async for result in client.stream([frame] * 2)] == [1, 2]
        assert token not in repr(vars(client._connection))
    monkeypatch.setenv("FERSERVE_TOKEN", token)
    async with AsyncClient(address) as client:
        assert await client.models()
    monkeypatch.setenv("FERSERVE_TOKEN", "wrong")
    async with AsyncClient(address) as client:
        with pytest.raises(errors.AuthenticationError, match="got another"):
            await client.models()
        with pytest.raises(errors.AuthenticationError, match="got another"):
            assert [result async for result in client.stream([frame])]
    async with AsyncClient(address, token="") as client:
        with pytest.raises(errors.AuthenticationError, match="got none"):
            await client.models()


async def test_a_revoked_token_ends_an_open_stream_and_no_other(
    start_server: StartServer, token_file: TokenFile, caplog: pytest.LogCaptureFixture
) -> None:
    """Meanwhile a file that is half written, empty, gone, or open to all changes nothing, and is warned of."""
    caplog.set_level("WARNING", "ferserve")
    frame, more = builders.jpeg(builders.astronaut()), asyncio.Event()
    bad, good = token_file.add("bad"), token_file.add("good")
    address = await start_server(token_file=token_file.path)

    async def frames() -> AsyncIterator[bytes]:
        yield frame
        await more.wait()
        yield frame

    async with AsyncClient(address, token=bad) as out, AsyncClient(address, token=good) as stays:
        streams = [client.stream(frames()) for client in (out, stays)]
        assert [(await anext(stream)).frame_id for stream in streams] == [1, 1]
        whole = token_file.text()
        for text, mode in ((whole[: len(whole) // 2], 0o600), ("", 0o600), (whole, 0o644)):
            caplog.clear()
            token_file.put(text, mode)
            await _until(lambda: any("cannot read the tokens again" in line for line in caplog.messages))
            assert await out.models()
        token_file.put(whole, 0o600)
        token_file.revoke("bad")
        with pytest.raises(errors.AuthenticationError, match="revoked meanwhile"):
            await asyncio.wait_for(anext(streams[0]), 20)
        with pytest.raises(errors.AuthenticationError, match="got another"):
            await out.models()
        more.set()
        assert [result.frame_id async for result in streams[1]] == [2]
        assert await stays.models()


async def test_a_revoked_token_ends_a_stream_whose_client_reads_nothing(
    start_server: StartServer, token_file: TokenFile, caplog: pytest.LogCaptureFixture
) -> None:
    """Its answers wait for a client that allows one byte of them."""
    caplog.set_level("INFO", "ferserve")
    bearer, good = token_file.add("deaf"), token_file.add("good")
    address = await start_server(token_file=token_file.path)

    def send() -> RudeConnection:
        connection = RudeConnection(address, initial_window=1)
        stream = connection.open(CLASSIFY_STREAM, ("authorization", f"Bearer {bearer}"))
        for body in (config(), jpeg_frame(1), jpeg_frame(2)):
            connection.send(stream, message(body))
        return connection

    with await asyncio.to_thread(send):
        await _until(lambda: any("opened: model" in line for line in caplog.messages))
        token_file.revoke("deaf")
        await _until(lambda: any("refused: unauthenticated: authorization" in line for line in caplog.messages))
        async with AsyncClient(address, token=good) as client:
            assert await client.models()


async def test_a_new_token_counts_without_a_restart(token_file: TokenFile) -> None:
    token_file.add("first")
    async with Asked(token_file=token_file.path) as server:
        second = token_file.add("second")
        for _ in range(1000):
            if not (answer := await server.answer("Tell", f"Bearer {second}")).startswith("UNAUTHENTICATED"):
                break
        assert answer == "token second, use"


async def test_probes_need_no_token(token_file: TokenFile) -> None:
    token_file.add("camera")
    async with Asked(token_file=token_file.path) as server, grpc.aio.insecure_channel(server.address) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=WhoAmI.name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_certificates_have_roles_and_tokens_come_first(token_file: TokenFile, ours: Files) -> None:
    camera = token_file.add("camera")
    mutual = {**ours.server, "tls_client_ca": ours.ca, "token_file": token_file.path, "admin": True}
    credentials = channel_credentials(Tls(ours.ca, ours.cert, ours.key))

    async def ask(server: Asked, method: str, metadata: Any = ()) -> str:
        async with grpc.aio.secure_channel(server.address, credentials) as channel:
            return bytes(await channel.unary_unary(f"/{WhoAmI.name}/{method}")(b"", metadata=metadata)).decode()

    async with Asked(**mutual, admin_certificates="somebody, localhost") as server:
        assert await ask(server, "Change") == "certificate 127.0.0.1 localhost, admin"
        assert await ask(server, "Tell", (("authorization", f"Bearer {camera}"),)) == "token camera, use"
        with pytest.raises(grpc.aio.AioRpcError, match="got another"):
            await ask(server, "Tell", (("authorization", "Bearer wrong"),))
    async with Asked(**mutual) as server:
        assert await ask(server, "Tell") == "certificate 127.0.0.1 localhost, use"
        with pytest.raises(grpc.aio.AioRpcError, match="role must be admin"):
            await ask(server, "Change")


def _own_address() -> str:
    """An address of this machine that is not its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


async def test_no_token_counts_in_plain_text_but_from_this_machine(token_file: TokenFile) -> None:
    if (host := _own_address()).startswith("127."):
        pytest.skip("needs a network address of this machine")
    token = token_file.add("camera")
    async with Asked(host=host, token_file=token_file.path) as server:
        assert (await server.answer("Tell", f"Bearer {token}")).startswith(
            "UNAUTHENTICATED: authorization must come by TLS, or from the server's own machine, got it in plain text"
        )
    with pytest.raises(errors.ConfigError, match="token must travel by TLS to another machine"):
        AsyncClient("192.0.2.1:50051", token=token)
    AsyncClient("192.0.2.1:50051", token=token, tls=Tls("system"))


async def test_a_token_counts_on_a_unix_socket(token_file: TokenFile, tmp_path: Path) -> None:
    token = token_file.add("camera")
    async with Asked(uds=str(tmp_path / "s"), token_file=token_file.path, admin=True) as server:
        assert await server.answer("Tell", f"Bearer {token}") == "token camera, use"
        assert (await server.answer()).startswith("UNAUTHENTICATED")


def test_a_token_is_never_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERSERVE_TOKEN", "geheim\nx")
    with pytest.raises(errors.ConfigError) as refused:
        AsyncClient()
    assert str(refused.value).startswith("FERSERVE_TOKEN must be what `ferserve token add` printed")
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"admin": True, "host": "0.0.0.0"}, "server.admin must be false unless callers are known"),
        ({"admin_certificates": "a"}, "server.admin_certificates needs server.tls_client_ca"),
    ],
)
def test_unsafe_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.ConfigError) as refused:
        ServerConfig(**settings)
    assert str(refused.value).startswith(message)
