"""TLS on both ends: trust, refusal, and invalid files."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from ferserve import AsyncClient, Tls, errors
from ferserve.config import ServerConfig
from ferserve.wire.tls import server_credentials
from tests import builders
from tests.serving.certificates import Files, issue
from tests.serving.fixtures import StartServer
from tests.serving.process import ServerProcess, serve_command


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return issue(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Files of an authority that no side trusts."""
    return issue(tmp_path_factory.mktemp("theirs"), "theirs")


async def brightness_of(address: str, tls: Tls) -> str:
    async with AsyncClient(address, tls=tls, reconnect_s=0) as client:
        return (await client.classify(builders.astronaut())).model_name


async def test_a_client_that_trusts_the_authority_is_served(start_server: StartServer, ours: Files) -> None:
    address = await start_server(**ours.server)
    assert await brightness_of(address, Tls(ours.ca)) == "brightness"
    async with AsyncClient(address, tls=Tls(ours.ca)) as client:
        frames = [builders.jpeg(builders.astronaut())] * 3
        assert [result.frame_id async for result in client.stream(frames)] == [1, 2, 3]


async def test_an_untrusted_server_is_refused(start_server: StartServer, ours: Files, theirs: Files) -> None:
    address = await start_server(**ours.server)
    with pytest.raises(errors.ServerUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        await brightness_of(address, Tls(theirs.ca))
    with pytest.raises(errors.ServerUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        await brightness_of(address, Tls("system"))


async def test_plain_text_and_tls_do_not_mix(start_server: StartServer, ours: Files) -> None:
    secret, plain = await start_server(**ours.server), await start_server()
    with pytest.raises(errors.ServerUnavailableError, match=r"if the server speaks TLS, set tls\.ca"):
        await brightness_of(secret, Tls())
    with pytest.raises(errors.ServerUnavailableError, match=r"the server does not speak TLS: drop tls\.ca"):
        await brightness_of(plain, Tls(ours.ca))
    assert await brightness_of(plain, Tls()) == "brightness"


async def test_a_server_may_require_client_certificates(start_server: StartServer, ours: Files, theirs: Files) -> None:
    address = await start_server(**ours.server, tls_client_ca=ours.ca)
    assert await brightness_of(address, Tls(ours.ca, ours.cert, ours.key)) == "brightness"
    for stranger in (Tls(ours.ca), Tls(ours.ca, theirs.cert, theirs.key)):
        with pytest.raises(errors.ServerUnavailableError):
            await brightness_of(address, stranger)


async def test_a_renewed_certificate_counts_for_the_next_client(
    start_server: StartServer, ours: Files, theirs: Files, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Streams go on; a file that is no certificate, or not that of the key, changes nothing."""
    used = Files(ours.ca, str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))

    def put(cert: str, key: str) -> None:
        for source, path in ((cert, used.cert), (key, used.key)):
            fresh = shutil.copy(source, tmp_path / "fresh")
            os.replace(fresh, path)

    renewed = asyncio.Event()

    async def frames() -> AsyncIterator[bytes]:
        yield builders.jpeg(builders.astronaut())
        await renewed.wait()
        yield builders.jpeg(builders.astronaut())

    put(ours.cert, ours.key)
    address = await start_server(**used.server)
    async with AsyncClient(address, tls=Tls(ours.ca)) as early:
        stream = early.stream(frames())
        assert (await anext(stream)).frame_id == 1
        for cert, key in ((__file__, __file__), (theirs.cert, ours.key)):
            put(cert, key)
            assert await brightness_of(address, Tls(ours.ca)) == "brightness"
            assert caplog.messages.pop().startswith(
                "cannot renew the certificates, the old ones stay in force: server."
            )
        put(theirs.cert, theirs.key)
        assert await brightness_of(address, Tls(theirs.ca)) == "brightness"
        with pytest.raises(errors.ServerUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            await brightness_of(address, Tls(ours.ca))
        renewed.set()
        assert [result.frame_id async for result in stream] == [2]


async def test_workers_share_a_port_and_a_certificate(model_dir: Path, ours: Files) -> None:
    """Streams that move to another worker do so by TLS, and the supervisor sees its workers without."""
    more = ["--workers", "2", "--tls-cert", ours.cert, "--tls-key", ours.key]
    with ServerProcess([*serve_command(model_dir), *more]) as server:
        frame = builders.jpeg(builders.astronaut())
        async with AsyncClient(server.address, tls=Tls(ours.ca)) as client:

            async def ids() -> list[int]:
                return [result.frame_id async for result in client.stream([frame] * 5)]

            assert await asyncio.gather(*(ids() for _ in range(6))) == [[1, 2, 3, 4, 5]] * 6


def test_commands_take_an_authority(model_dir: Path, ours: Files, tmp_path: Path) -> None:
    picture = tmp_path / "face.jpg"
    picture.write_bytes(builders.jpeg(builders.astronaut()))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ferserve", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    with ServerProcess([*serve_command(model_dir), "--tls-cert", ours.cert, "--tls-key", ours.key]) as server:
        trust = ("--target", server.address, "--tls-ca", ours.ca)
        assert '"faces": [{' in run("classify", str(picture), "--json", *trust).stdout
        assert "brightness" in run("models", "list", *trust).stdout
        refused = run("models", "info", *trust[:2])
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    alone = run("classify", str(picture), "--tls-ca", ours.ca)
    assert alone.returncode == 2
    assert "--tls-ca must come with --target" in alone.stderr


async def test_a_plain_http2_client_is_disconnected_and_others_are_served(
    start_server: StartServer, ours: Files
) -> None:
    address = await start_server(**ours.server)
    reader, writer = await asyncio.open_connection(*address.split(":"))
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(1000))
    with contextlib.suppress(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 20)  # to its end, which comes in time
    writer.close()
    assert await brightness_of(address, Tls(ours.ca)) == "brightness"


@pytest.fixture(scope="module")
def paths(ours: Files, theirs: Files, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files of all kinds, by names for the table below."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "rubbish.pem").write_bytes(bytes(range(256)))
    locked = folder / "locked.pem"
    private = serialization.load_pem_private_key(Path(ours.key).read_bytes(), None)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    locked.write_bytes(private.private_bytes(*form, serialization.BestAvailableEncryption(b"x")))
    odd = {"folder": folder, "nowhere": folder / "nowhere.pem", "rubbish": folder / "rubbish.pem", "locked": locked}
    whole = {"ca": ours.ca, "cert": ours.cert, "key": ours.key, "another key": theirs.key}
    return whole | {name: str(path) for name, path in odd.items()}


@pytest.mark.parametrize(
    ("cert", "key", "ca", "message"),
    [
        ("nowhere", "key", None, "server.tls_cert must be a file that can be read"),
        ("cert", "nowhere", None, "server.tls_key must be a file that can be read"),
        ("folder", "key", None, "server.tls_cert must be a file that can be read"),
        ("rubbish", "key", None, "must be a certificate and its private key"),
        ("cert", "another key", None, "must be a certificate and its private key"),
        ("cert", "locked", None, "without a password"),
        ("cert", "key", "rubbish", "server.tls_client_ca must be PEM with certificates"),
    ],
)
async def test_a_server_refuses_to_start_with_invalid_files(
    cert: str, key: str, ca: str | None, message: str, paths: dict[str, str], start_server: StartServer
) -> None:
    with pytest.raises(errors.ConfigError, match=message):
        await start_server(tls_cert=paths[cert], tls_key=paths[key], tls_client_ca=paths[ca] if ca else "")


@pytest.mark.parametrize(
    ("ca", "key", "message"),
    [
        ("rubbish", None, "tls.ca must be PEM with certificates"),
        ("nowhere", None, "tls.ca must be a file that can be read"),
        ("ca", "another key", "tls.cert and tls.key must be a certificate and its private key"),
    ],
)
async def test_a_client_refuses_to_start_with_invalid_files(
    ca: str, key: str | None, message: str, paths: dict[str, str]
) -> None:
    tls = Tls(paths[ca], paths["cert"], paths[key]) if key else Tls(paths[ca])
    with pytest.raises(errors.ConfigError, match=message):
        AsyncClient(tls=tls)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tls_cert": "a.pem"}, "server.tls_cert needs server.tls_key; set server.tls_key or drop server.tls_cert"),
        ({"tls_key": "a.pem"}, "server.tls_key needs server.tls_cert; set server.tls_cert or drop server.tls_key"),
        (
            {"tls_client_ca": "a.pem"},
            "server.tls_client_ca needs server.tls_cert; set server.tls_cert or drop server.tls_client_ca",
        ),
    ],
)
def test_incomplete_settings_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(errors.ConfigError) as caught:
        ServerConfig(**settings)
    assert str(caught.value) == message


def test_an_expired_certificate_of_its_own_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    leaf = trustme.CA().issue_cert("localhost", not_after=yesterday)
    leaf.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    both = str(tmp_path / "both.pem")
    assert server_credentials(ServerConfig(tls_cert=both, tls_key=both)) is not None
    (warning,) = caplog.messages
    assert warning == f"server.tls_cert {both} expired on {yesterday:%Y-%m-%d %H:%M} UTC; clients refuse it, renew it"


def test_a_clients_certificate_needs_an_authority() -> None:
    with pytest.raises(errors.ConfigError, match=r"tls\.cert needs tls\.ca; set tls\.ca or drop tls\.cert"):
        Tls(cert="a.pem", key="b.pem")
